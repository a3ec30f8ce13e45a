"""What the pings of iputils 20221126 and busybox 1.35 printed, word for word, and what it means."""

from pathlib import Path

import pytest

from podmatrix.model import Outcome
from podmatrix.probes.ping import parse_ping
from podmatrix.probes.reply import Reply

DATA = Path(__file__).parent / "data" / "ping"


def read(name: str, address: str, returncode: int, count: int = 3) -> Reply:
    lines = (DATA / f"{name}.txt").read_text().splitlines()
    return parse_ping(lines, address, returncode=returncode, count=count, own={"10.1.0.2"})


@pytest.mark.parametrize(
    ("name", "address", "returncode", "outcome", "received", "detail"),
    [
        ("iputils-healthy", "10.2.0.2", 0, Outcome.REACHABLE, 3, ""),
        ("busybox-healthy", "10.2.0.2", 0, Outcome.REACHABLE, 3, ""),
        ("iputils-bound", "10.3.0.1", 0, Outcome.REACHABLE, 3, ""),
        ("busybox-bound", "10.3.0.1", 0, Outcome.REACHABLE, 3, ""),
        ("iputils-duplicates", "10.2.0.5", 0, Outcome.REACHABLE, 3, "2 duplicate replies"),
        ("busybox-duplicates", "10.2.0.5", 0, Outcome.REACHABLE, 3, "2 duplicate replies"),
        ("iputils-half-lost", "10.2.0.5", 0, Outcome.LOSSY, 2, "2 of 3 packets answered"),
        ("busybox-half-lost", "10.2.0.5", 0, Outcome.LOSSY, 1, "1 of 3 packets answered"),
        ("iputils-lost", "10.2.0.3", 1, Outcome.UNREACHABLE, 0, "none of 3 packets answered"),
        ("busybox-lost", "10.2.0.3", 1, Outcome.UNREACHABLE, 0, "none of 3 packets answered"),
        ("iputils-prohibited", "10.2.0.4", 1, Outcome.REJECTED, 0, "filtered, said by 10.1.0.1"),
        ("busybox-prohibited", "10.2.0.4", 1, Outcome.UNREACHABLE, 0, "none of 3"),
        ("iputils-net-unreachable", "10.9.0.1", 1, Outcome.REJECTED, 0, "Net Unreachable, said by"),
        ("iputils-host-unreachable", "10.1.0.99", 1, Outcome.UNREACHABLE, 0, "said by 10.1.0.2"),
        ("iputils-no-route", "10.67.0.1", 2, Outcome.UNREACHABLE, 0, "no route to 10.67.0.1"),
        ("busybox-no-route", "10.67.0.1", 1, Outcome.UNREACHABLE, 0, "no route to 10.67.0.1"),
    ],
)
def test_output_is_an_outcome(
    name: str, address: str, returncode: int, outcome: Outcome, received: int, detail: str
) -> None:
    reply = read(name, address, returncode)
    assert (reply.outcome, reply.sent, reply.received) == (outcome, 3, received)
    assert detail in reply.detail


@pytest.mark.parametrize(
    ("name", "returncode", "detail"),
    [
        ("iputils-no-device", 2, "No such device"),
        ("busybox-no-device", 1, "bad address 'nosuch'"),
        ("busybox-permission-denied", 1, "permission denied"),
        ("iputils-not-startable", 126, "Operation not permitted"),
    ],
)
def test_a_probe_that_was_not_carried_out_is_not_run(
    name: str, returncode: int, detail: str
) -> None:
    reply = read(name, "10.2.0.2", returncode)
    assert (reply.outcome, reply.received) == (Outcome.NOT_RUN, 0)
    assert detail in reply.detail


@pytest.mark.parametrize("tool", ["iputils", "busybox"])
def test_an_answer_from_another_address_is_no_answer(tool: str) -> None:
    reply = read(f"{tool}-other-address", "10.2.0.5", 0)
    assert (reply.outcome, reply.received) == (Outcome.NOT_RUN, 0)
    assert "10.2.0.3 answered" in reply.detail


@pytest.mark.parametrize(
    ("change", "returncode"),
    [
        pytest.param(lambda text: text, 1, id="exit status and replies differ"),
        pytest.param(lambda text: "", 0, id="nothing printed, exit status 0"),
        pytest.param(lambda text: "", 1, id="nothing printed, exit status 1"),
        pytest.param(lambda text: text.split("---")[0], 0, id="summary cut off"),
        pytest.param(lambda text: text.replace("3 received", "2 received"), 0, id="counts differ"),
        pytest.param(lambda text: text.replace("3 packets", "2 packets"), 0, id="sent fewer"),
        pytest.param(lambda text: text.replace("ttl", "xxx"), 0, id="unknown reply line"),
        pytest.param(lambda text: text + "wrong data byte #16\n", 0, id="corrupt payload"),
    ],
)
def test_what_is_not_understood_is_not_run(change: object, returncode: int) -> None:
    assert callable(change)
    lines = change((DATA / "iputils-healthy.txt").read_text()).splitlines()
    reply = parse_ping(lines, "10.2.0.2", returncode=returncode, count=3)
    assert (reply.outcome, reply.received) == (Outcome.NOT_RUN, 0)


@pytest.mark.parametrize(
    "noise",
    [
        "ping: Warning: source address might be selected on device other than: net1.",
        "From 10.1.0.1 icmp_seq=1 Redirect Host(New nexthop: 10.1.0.9)",
    ],
)
def test_warnings_and_redirects_do_not_change_an_outcome(noise: str) -> None:
    lines = [noise, *(DATA / "iputils-healthy.txt").read_text().splitlines()]
    reply = parse_ping(lines, "10.2.0.2", returncode=0, count=3)
    assert reply.outcome is Outcome.REACHABLE
