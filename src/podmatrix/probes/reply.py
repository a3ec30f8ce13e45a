"""What one ping of a few packets showed, whichever tool sent it."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass

from podmatrix.model import Outcome


@dataclass(frozen=True, slots=True, kw_only=True)
class IcmpError:
    """An ICMP error that came back: its kind in the tool's words, and who sent it."""

    what: str
    sender: str

    def __str__(self) -> str:
        return f"{self.what}, said by {self.sender}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Reply:
    """The outcome for one address. `rtt_ms` is the mean; `detail` says why it is not reachable."""

    outcome: Outcome
    sent: int = 0
    received: int = 0
    rtt_ms: float | None = None
    detail: str = ""


def not_run(detail: str) -> Reply:
    """The probe could not be carried out, or what it printed cannot be read."""
    return Reply(outcome=Outcome.NOT_RUN, detail=detail)


def conclude(
    *,
    sent: int,
    rtts_ms: Sequence[float],
    errors: Sequence[IcmpError] = (),
    own: Collection[str] = (),
    duplicates: int = 0,
) -> Reply:
    """Packets and ICMP errors -> outcome. `own` are addresses of the pod that sent.

    A host-unreachable that the pod's own kernel says after three unanswered ARP requests is
    silence of the network, not a rejection: whether it comes in time depends on the wait alone.
    """
    received = len(rtts_ms)
    rtt_ms = round(sum(rtts_ms) / received, 3) if received else None
    foreign = [error for error in errors if error.sender not in own]
    said = "; ".join(dict.fromkeys(str(error) for error in foreign or errors))
    if received == 0:
        outcome = Outcome.REJECTED if foreign else Outcome.UNREACHABLE
        detail = said or f"none of {sent} packets answered"
    elif received < sent:
        outcome = Outcome.LOSSY
        detail = "; ".join(filter(None, (f"{received} of {sent} packets answered", said)))
    else:
        outcome = Outcome.REACHABLE
        detail = f"{duplicates} duplicate replies" if duplicates else ""
    return Reply(outcome=outcome, sent=sent, received=received, rtt_ms=rtt_ms, detail=detail)
