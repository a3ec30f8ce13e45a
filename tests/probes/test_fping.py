"""What fping 5.1 printed, word for word, and what it means."""

from pathlib import Path

import pytest

from podmatrix.errors import ProbeError
from podmatrix.model import Outcome
from podmatrix.probes.fping import parse_fping
from podmatrix.probes.reply import Reply

DATA = Path(__file__).parent / "data" / "fping"


def read(name: str, address: str, count: int = 3) -> Reply:
    lines = (DATA / f"{name}.txt").read_text().splitlines()
    return parse_fping(lines, [address], count=count, own={"10.1.0.2"})[address]


@pytest.mark.parametrize(
    ("name", "address", "outcome", "received", "detail"),
    [
        ("mixed", "127.0.0.1", Outcome.REACHABLE, 3, ""),
        ("mixed", "10.2.0.2", Outcome.REACHABLE, 3, ""),
        ("mixed", "10.2.0.5", Outcome.LOSSY, 1, "1 of 3 packets answered"),
        ("mixed", "10.2.0.3", Outcome.UNREACHABLE, 0, "none of 3 packets answered"),
        ("mixed", "10.2.0.4", Outcome.REJECTED, 0, "Prohibited), said by 10.1.0.1"),
        ("net-unreachable", "10.9.0.1", Outcome.REJECTED, 0, "Network Unreachable, said by"),
        ("no-arp", "10.1.0.99", Outcome.UNREACHABLE, 0, "Host Unreachable, said by 10.1.0.2"),
    ],
)
def test_each_target_line_is_an_outcome(
    name: str, address: str, outcome: Outcome, received: int, detail: str
) -> None:
    reply = read(name, address)
    assert (reply.outcome, reply.sent, reply.received) == (outcome, 3, received)
    assert detail in reply.detail


def test_rtt_is_the_mean() -> None:
    assert read("mixed", "10.2.0.2").rtt_ms == pytest.approx((0.049 + 0.026 + 0.036) / 3, abs=1e-3)


def test_a_target_that_is_not_told_of_is_not_run() -> None:
    reply = read("mixed", "10.2.0.77")
    assert reply.outcome is Outcome.NOT_RUN
    assert "0 lines for 10.2.0.77" in reply.detail


def test_a_target_told_of_twice_is_not_run() -> None:
    lines = ["10.2.0.2 : 0.1 0.1 0.1", "10.2.0.2 : - - -"]
    assert parse_fping(lines, ["10.2.0.2"], count=3)["10.2.0.2"].outcome is Outcome.NOT_RUN


@pytest.mark.parametrize("times", ["", "0.1", "0.1 0.2", "0.1 0.2 0.3 0.4"])
def test_another_number_of_packets_is_not_run(times: str) -> None:
    replies = parse_fping([f"10.2.0.2 : {times}"], ["10.2.0.2"], count=3)
    assert replies["10.2.0.2"].outcome is Outcome.NOT_RUN


@pytest.mark.parametrize(
    "name",
    [pytest.param("other-address", id="replies of another address"), "no-device"],
)
def test_output_that_cannot_be_attributed_is_refused(name: str) -> None:
    with pytest.raises(ProbeError):
        read(name, "10.2.0.5")


def test_duplicates_do_not_count_as_replies() -> None:
    lines = ["10.2.0.2 : duplicate for [0], 64 bytes, 0.07 ms", "10.2.0.2 : 0.1 - -"]
    reply = parse_fping(lines, ["10.2.0.2"], count=3)["10.2.0.2"]
    assert (reply.outcome, reply.received) == (Outcome.LOSSY, 1)
