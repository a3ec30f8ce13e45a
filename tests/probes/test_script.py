"""The script, run by /bin/sh with real tools between real namespaces: what it may conclude."""

import os
import shutil
import stat
from collections.abc import Sequence
from pathlib import Path

import pytest

from podmatrix.errors import ProbeError
from podmatrix.model import Completed, Outcome
from podmatrix.probes.icmp import GroupReplies, PodOutput, read_output
from podmatrix.probes.layout import Route, parse_interfaces, parse_lookups
from podmatrix.probes.script import Group, Sending, script_argv
from tests.probes.network import require_network, run

SENDING = Sending(wait_ms=300)
UNPRIVILEGED = "setpriv --bounding-set -all --inh-caps -all"
PLAIN_TOOLS = ("sh", "ip", "timeout", "cp", "mktemp", "rm", "rmdir", "setpriv")

NATURAL = Group(
    interface=None,
    family=4,
    own="10.1.0.2",
    addresses=("10.2.0.2", "10.2.0.3", "10.2.0.4"),
)
BOUND = Group(interface="net1", family=4, own="10.3.0.2", addresses=("10.3.0.1", "10.2.0.2"))
OUTCOMES = {
    "10.2.0.2": Outcome.REACHABLE,
    "10.2.0.3": Outcome.UNREACHABLE,
    "10.2.0.4": Outcome.REJECTED,
}


@pytest.fixture(scope="module", autouse=True)
def _network() -> None:
    require_network()


@pytest.fixture
def tools(tmp_path: Path) -> Path:
    """A PATH with nothing on it that could ping."""
    folder = tmp_path / "bin"
    folder.mkdir()
    for name in PLAIN_TOOLS:
        add_tool(folder, name)
    return folder


def add_tool(folder: Path, name: str, program: str = "") -> None:
    found = shutil.which(program or name)
    if found is None:
        pytest.skip(f"needs {program or name}")
    (folder / name).symlink_to(found)


def write_tool(folder: Path, name: str, script: str) -> None:
    path = folder / name
    path.unlink(missing_ok=True)  # a link to the machine's own tool must not be written through
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(path.stat().st_mode | stat.S_IXUSR)


def probe(
    groups: Sequence[Group],
    *,
    tools: Path | None = None,
    first: str = ":",
    prefix: str = "",
    layout: bool = False,
    lookups: Sequence[str] = (),
) -> PodOutput:
    argv = script_argv(
        groups, token="t0", deadline_s=30, sending=SENDING, layout=layout, lookups=lookups
    )
    completed = run(argv, tools=tools, first=first, prefix=prefix)
    return read_output(completed, groups, token="t0", sending=SENDING)


def outcomes(replies: GroupReplies) -> dict[str, Outcome]:
    return {address: reply.outcome for address, reply in replies.replies.items()}


def not_run_because(replies: GroupReplies) -> str:
    assert set(outcomes(replies).values()) == {Outcome.NOT_RUN}
    assert replies.tool == ""
    return next(iter(replies.replies.values())).detail


@pytest.mark.parametrize("tool", ["fping", "ping"])
def test_each_tool_sees_what_is_there(tools: Path, tool: str) -> None:
    add_tool(tools, tool)
    natural, bound = probe([NATURAL, BOUND], tools=tools).groups
    assert outcomes(natural) == OUTCOMES
    assert outcomes(bound) == {"10.3.0.1": Outcome.REACHABLE, "10.2.0.2": Outcome.UNREACHABLE}
    assert natural.tool.split()[0] == tool


@pytest.mark.parametrize("name", ["ping", "busybox"])
def test_busybox_sees_it_but_not_who_rejected_it(tools: Path, name: str) -> None:
    add_tool(tools, name, "busybox")
    natural, bound = probe([NATURAL, BOUND], tools=tools).groups
    assert outcomes(natural) == OUTCOMES | {"10.2.0.4": Outcome.UNREACHABLE}
    assert outcomes(bound) == {"10.3.0.1": Outcome.REACHABLE, "10.2.0.2": Outcome.UNREACHABLE}


@pytest.mark.parametrize("name", ["ping", "fping"])
@pytest.mark.parametrize(
    "script",
    [
        pytest.param("exit 0", id="always succeeds"),
        pytest.param("exit 1", id="always fails"),
        pytest.param("echo '1 packets transmitted, 1 received, 0% packet loss'", id="makes it up"),
        pytest.param(
            'for a; do :; done; echo "64 bytes from $a: icmp_seq=1 ttl=64 time=1 ms"; '
            'echo "1 packets transmitted, 1 received, 0% packet loss"',
            id="imitates ping",
        ),
        pytest.param(
            'for a; do case $a in *.*) echo "$a : 0.1 0.1 0.1" >&2;; esac; done',
            id="imitates fping",
        ),
        pytest.param(
            'for a; do case $a in *.*) echo "$a : - - -" >&2;; esac; done; exit 1',
            id="sees nothing",
        ),
        pytest.param("printf 'gar\\nbage\\377'; exit 3", id="prints garbage"),
    ],
)
def test_a_broken_tool_is_never_believed(tools: Path, name: str, script: str) -> None:
    write_tool(tools, name, script)
    for replies in probe([NATURAL, BOUND], tools=tools).groups:
        assert "no tool passed its calibration" in not_run_because(replies)


def test_an_always_answering_ping_of_three_packets_is_never_believed(tools: Path) -> None:
    real = 'for s in 1 2 3; do echo "64 bytes from $a: icmp_seq=$s ttl=64 time=1 ms"; done'
    summary = "echo '3 packets transmitted, 3 received, 0% packet loss, time 2ms'"
    write_tool(tools, "ping", f"for a; do :; done; {real}; {summary}")
    (replies,) = probe([NATURAL], tools=tools).groups
    assert not_run_because(replies)


def test_a_ping_that_ignores_the_interface_is_not_believed_when_bound(tools: Path) -> None:
    add_tool(tools, "real-ping", "ping")
    forward = 'n=; while [ $# -gt 0 ]; do case $1 in -I) shift;; *) n="$n $1";; esac; shift; done'
    write_tool(tools, "ping", f"{forward}; exec real-ping $n")
    natural, bound = probe([NATURAL, BOUND], tools=tools).groups
    assert outcomes(natural) == OUTCOMES
    assert "sees 127.0.0.1, where nobody is" in not_run_because(bound)


def test_the_next_tool_is_taken_where_the_first_one_is_broken(tools: Path) -> None:
    write_tool(tools, "fping", "exit 1")
    add_tool(tools, "ping")
    (replies,) = probe([NATURAL], tools=tools).groups
    assert outcomes(replies) == OUTCOMES
    assert replies.tool.startswith("ping ")


def test_no_tool_at_all_is_said_with_the_cure(tools: Path) -> None:
    (replies,) = probe([NATURAL], tools=tools).groups
    assert "ping: not found" in not_run_because(replies)
    assert "--matrix-image" in not_run_because(replies)


def test_fping_that_loses_every_reply_without_privileges_works_with_its_only_source(
    tools: Path,
) -> None:
    group = Group(
        interface=None, family=4, own="10.1.0.2", addresses=NATURAL.addresses, only_source=True
    )
    first = f"mkdir /run/copy && cp {shutil.which('fping')} /run/copy && PATH=$PATH:/run/copy"
    with_source, without = (
        probe([one], first=first, prefix=f"env PATH={tools}:/run/copy {UNPRIVILEGED}").groups[0]
        for one in (group, NATURAL)
    )
    # A ping socket without IP_RECVERR tells nothing of ICMP errors.
    assert outcomes(with_source) == OUTCOMES | {"10.2.0.4": Outcome.UNREACHABLE}
    assert with_source.tool.endswith("-S 10.1.0.2")
    assert "does not see 127.0.0.1" in not_run_because(without)


def test_a_ping_with_file_capabilities_is_copied_where_it_cannot_start(tools: Path) -> None:
    attributes = os.listxattr(shutil.which("ping") or "/")
    if "security.capability" not in attributes:
        pytest.skip("this machine's ping has no file capabilities")
    add_tool(tools, "ping")
    (replies,) = probe([NATURAL], tools=tools, prefix=UNPRIVILEGED).groups
    assert outcomes(replies) == OUTCOMES
    assert replies.tool.startswith("copy of ping")


def test_an_own_address_that_does_not_answer_makes_everything_not_run() -> None:
    group = Group(interface=None, family=4, own="10.1.0.77", addresses=("10.2.0.2",))
    (replies,) = probe([group]).groups
    assert "does not see 10.1.0.77" in not_run_because(replies)


def test_an_answer_where_nobody_is_makes_everything_not_run() -> None:
    impostor = (
        "ip netns exec d ip addr add 192.0.2.1/32 dev lo; ip route add 192.0.2.1 via 10.1.0.1;"
    )
    impostor += "ip -n r route add 192.0.2.1 via 10.2.0.2"
    (replies,) = probe([NATURAL], first=impostor).groups
    assert "sees 192.0.2.1, where nobody is" in not_run_because(replies)


@pytest.mark.parametrize("tool", ["fping", "ping"])
def test_the_own_address_can_be_a_target_too(tools: Path, tool: str) -> None:
    add_tool(tools, tool)
    group = Group(interface=None, family=4, own="10.1.0.2", addresses=("10.1.0.2", "10.2.0.2"))
    (replies,) = probe([group], tools=tools).groups
    assert outcomes(replies)["10.1.0.2"] is Outcome.REACHABLE


def test_an_interface_that_is_not_there_is_not_run() -> None:
    group = Group(interface="net7", family=4, own="10.3.0.2", addresses=("10.3.0.1",))
    (replies,) = probe([group]).groups
    assert not_run_because(replies)


def test_layout_and_routes_come_with_the_same_command() -> None:
    output = probe([NATURAL], layout=True, lookups=["10.2.0.2", "10.67.0.1", "10.3.0.1"])
    assert [i.name for i in parse_interfaces(output.addr)] == ["lo", "eth0", "net1"]
    assert output.routes[4][0].startswith("default via 10.1.0.1 dev eth0")
    assert 6 in output.routes
    assert parse_lookups(output.lookups) == {
        "10.2.0.2": Route(interface="eth0", source="10.1.0.2"),
        "10.3.0.1": Route(interface="net1", source="10.3.0.2"),
    }


def test_busybox_alone_shows_layout_and_routes_too(tools: Path) -> None:
    (tools / "ip").unlink()
    for name in ("ip", "ping"):
        add_tool(tools, name, "busybox")
    output = probe([NATURAL], tools=tools, layout=True, lookups=["10.2.0.2"])
    assert output.routes[4][0].startswith("default via 10.1.0.1 dev eth0")
    assert [i.name for i in parse_interfaces(output.addr)] == ["lo", "eth0", "net1"]
    assert parse_lookups(output.lookups)["10.2.0.2"].interface == "eth0"


def test_routes_that_ip_does_not_tell_are_unknown_not_absent(tools: Path) -> None:
    write_tool(tools, "ip", 'echo "ip: broken pipe" >&2; exit 2')
    assert probe([NATURAL], tools=tools, layout=True).routes == {}


def test_the_pod_itself_ends_what_takes_too_long(tools: Path) -> None:
    write_tool(tools, "ping", "exec sleep 60")
    add_tool(tools, "sleep")
    argv = script_argv([NATURAL], token="t0", deadline_s=1, sending=SENDING)
    completed = run(argv, tools=tools)
    assert completed.returncode == 124
    with pytest.raises(ProbeError, match="did not reach its end"):
        read_output(completed, [NATURAL], token="t0", sending=SENDING)


def test_many_targets_are_pinged_in_waves(tools: Path) -> None:
    add_tool(tools, "ping")
    addresses = tuple(f"10.1.0.{n}" for n in (1, 2)) + tuple(f"10.2.0.{n}" for n in (1, 2, 5))
    group = Group(interface=None, family=4, own="10.1.0.2", addresses=addresses)
    sending = Sending(wait_ms=300, parallel=2)
    argv = script_argv([group], token="t0", deadline_s=30, sending=sending)
    output = read_output(run(argv, tools=tools), [group], token="t0", sending=sending)
    assert outcomes(output.groups[0]) == dict.fromkeys(addresses, Outcome.REACHABLE)


@pytest.fixture(scope="module")
def transcript() -> Completed:
    """What the script prints for NATURAL and BOUND when all is well."""
    return run(script_argv([NATURAL, BOUND], token="t0", deadline_s=30, sending=SENDING))


def test_any_cut_leaves_no_wrong_verdict(transcript: Completed) -> None:
    whole = transcript.stdout
    for end in range(0, len(whole), 7):
        cut = Completed(argv=(), returncode=0, stdout=whole[:end], stderr="")
        with pytest.raises(ProbeError):
            read_output(cut, [NATURAL, BOUND], token="t0", sending=SENDING)


def test_any_piece_missing_in_the_middle_leaves_no_wrong_verdict(transcript: Completed) -> None:
    whole = transcript.stdout
    expected = (OUTCOMES, {"10.3.0.1": Outcome.REACHABLE, "10.2.0.2": Outcome.UNREACHABLE})
    # An ICMP error is told in a line of its own: without it, a rejection looks like silence.
    allowed = {Outcome.NOT_RUN: (), Outcome.UNREACHABLE: (Outcome.REJECTED,)}
    for start in range(0, len(whole) - 20, 3):
        torn = Completed(
            argv=(), returncode=0, stdout=whole[:start] + whole[start + 12 :], stderr=""
        )
        try:
            groups = read_output(torn, [NATURAL, BOUND], token="t0", sending=SENDING).groups
        except ProbeError:
            continue
        for seen, right in zip(map(outcomes, groups), expected, strict=True):
            for address, outcome in seen.items():
                is_right = outcome is right[address] or outcome is Outcome.NOT_RUN
                assert is_right or right[address] in allowed[outcome]
