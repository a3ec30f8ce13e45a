"""Reads `ping` of iputils and of busybox: one run to one address, both streams together."""

import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field

from podmatrix.model import Outcome
from podmatrix.probes.reply import IcmpError, Reply, conclude, not_run

_REPLY = re.compile(
    r"\d+ bytes from (?P<sender>[^\s,]+?):? (?:icmp_)?seq=(?P<seq>\d+)(?: ttl=\d+)?"
    r" time=(?P<rtt>[\d.]+) ms"
    r"(?P<flags>(?: \((?:DUP|DIFFERENT ADDRESS)!\))*)"
)
_ERROR = re.compile(r"From (?P<sender>\S+?):? icmp_seq=\d+ (?P<what>.+)")
_SUMMARY = re.compile(
    r"(?P<sent>\d+) packets transmitted, (?P<received>\d+) (?:packets )?received,"
    r"(?: \+?\d+ \w+,)* [\d.]+% packet loss(?:, time \d+ms)?"
)
_NOISE = re.compile(
    r"PING .*|--- .* ping statistics ---|(?:rtt|round-trip) min/avg/max.*|pipe \d+|"
    r"(?:\S*ping: )?Warning: .*|\s*"
)
# connect(2) or sendto(2) of the tool found no way out of the pod: its own routes say so.
_NO_ROUTE = re.compile(
    r"(?:\S*ping: )?(?:connect|sendto|sendmsg): (?P<what>Network is unreachable|No route to host)"
)


@dataclass
class _Seen:
    """What the lines of one run say."""

    rtts_ms: list[float] = field(default_factory=list)
    duplicates: int = 0
    errors: list[IcmpError] = field(default_factory=list)
    others: list[str] = field(default_factory=list)
    no_route: str = ""
    summaries: list[tuple[int, int]] = field(default_factory=list)
    unknown: str = ""


def parse_ping(
    lines: Sequence[str], address: str, *, returncode: int, count: int, own: Collection[str] = ()
) -> Reply:
    """Read one run of `count` packets. What is not understood is `not_run`, never a verdict."""
    seen = _read(lines, address)
    if seen.unknown:
        return not_run(seen.unknown)
    if seen.no_route and seen.rtts_ms:
        detail = f"{len(seen.rtts_ms)} of {count} packets answered, then: {seen.no_route}"
        rtt_ms = round(sum(seen.rtts_ms) / len(seen.rtts_ms), 3)
        return Reply(
            outcome=Outcome.LOSSY,
            sent=count,
            received=len(seen.rtts_ms),
            rtt_ms=rtt_ms,
            detail=detail,
        )
    if seen.no_route and not seen.others:
        detail = f"the pod has no route to {address}: {seen.no_route}"
        return Reply(outcome=Outcome.UNREACHABLE, sent=count, detail=detail)
    if seen.others:
        return not_run(
            f"{address} was pinged and {seen.others[0]} answered: its source address was rewritten "
            "on the way, or the address is taken twice"
        )
    if problem := _contradiction(seen, returncode, count):
        return not_run(problem)
    return conclude(
        sent=count,
        rtts_ms=seen.rtts_ms,
        errors=seen.errors,
        own=own,
        duplicates=seen.duplicates,
    )


def _read(lines: Sequence[str], address: str) -> _Seen:
    seen = _Seen()
    answered: set[str] = set()
    for line in lines:
        if match := _REPLY.fullmatch(line):
            if match["sender"] != address:
                seen.others.append(match["sender"])
            elif match["seq"] in answered:
                seen.duplicates += 1
            else:
                answered.add(match["seq"])
                seen.rtts_ms.append(float(match["rtt"]))
        elif match := _ERROR.fullmatch(line):
            # A redirect is advice: the packet went on.
            if not match["what"].startswith("Redirect"):
                seen.errors.append(IcmpError(what=match["what"], sender=match["sender"]))
        elif match := _SUMMARY.fullmatch(line):
            seen.summaries.append((int(match["sent"]), int(match["received"])))
        elif match := _NO_ROUTE.fullmatch(line):
            seen.no_route = match["what"]
        elif not _NOISE.fullmatch(line):
            seen.unknown = seen.unknown or line
    return seen


def _contradiction(seen: _Seen, returncode: int, count: int) -> str:
    """Why lines, summary and exit status do not tell one story; empty where they do."""
    if len(seen.summaries) != 1:
        return f"exit status {returncode} and {len(seen.summaries)} summaries"
    sent, received = seen.summaries[0]
    if sent != count:
        return f"sent {sent} packets, not {count}"
    if received != len(seen.rtts_ms):
        return f"counted {received} replies and printed {len(seen.rtts_ms)}"
    # Both pings: 0 where anything was answered, 1 where nothing was.
    if returncode != (0 if received else 1):
        return f"exit status {returncode} with {received} replies"
    return ""
