"""The sweep against an API that does not always do what it should."""

import asyncio
import json
import re
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest
from aiohttp import web

from podmatrix.cluster.client import Cluster
from podmatrix.cluster.sweep import Again, SweepResult, sweep
from podmatrix.model import Cell, LivePod, Observation, Outcome, PodRole
from podmatrix.plan import make_plan
from podmatrix.probes.script import Sending
from podmatrix.profile import parse_profile
from tests.cluster.server import SUCCESS, Answer, Execution, Server, cut, send

PLAN = make_plan(
    parse_profile(
        """
apiVersion: podmatrix.io/v1alpha1
kind: Profile
metadata: {name: two}
networks: {calico: {attach: default}}
pods: {one: {eth0: calico}, two: {eth0: calico}}
reachability: {default: required}
""",
        source="two.yaml",
    ),
    ["a", "b"],
)
ADDRESSES = {"one-a": "10.0.0.1", "one-b": "10.0.0.2", "two-a": "10.0.0.3", "two-b": "10.0.0.4"}
PODS = tuple(
    LivePod(
        role_id=name,
        namespace="ns",
        name=name,
        uid=f"uid-{name}",
        node_name="n",
        host_ip="192.168.31.1",
        pod_ips=(address,),
    )
    for name, address in ADDRESSES.items()
)
LIST = "GET /api/v1/namespaces/ns/pods"


def api_pod(name: str, *, uid: str = "", ready: str = "True") -> dict[str, Any]:
    return {
        "metadata": {"name": name, "namespace": "ns", "uid": uid or f"uid-{name}"},
        "status": {
            "podIP": ADDRESSES[name],
            "conditions": [{"type": "Ready", "status": ready}],
        },
    }


def fping(*deaf_to: str) -> Execution:
    """A pod in which fping sees every address but these."""

    async def execute(socket: web.WebSocketResponse, argv: list[str]) -> None:
        script = argv[-1]
        token = re.findall(r"^T=(\w+)", script)[0]
        lines = [
            "addr 1: eth0: <UP> mtu 1480 qdisc noqueue",
            "route 4 default via 10.0.0.254 dev eth0",
            "routes 4 0",
            "routes 6 0",
        ]
        for number, own, silent, wanted in re.findall(
            r"^g (\d+) '\w*' '\S*' '(.*)' '(.*)' '(.*)' &$", script, re.M
        ):
            lines.append(f"g {number} 1 t fping -C 3")
            lines += [f"g {number} 1 n {address} : -" for address in silent.split()]
            for address in f"{own} {wanted}".split():
                times = "- - -" if address in deaf_to else "0.1 0.2 0.3"
                lines.append(f"g {number} 1 p {address} : {times}")
            lines.append(f"g {number} end 0")
        printed = "".join(f"@{token} {line}\n" for line in [*lines, "end 0"])
        await send(socket, 1, printed.encode())
        await send(socket, 3, json.dumps(SUCCESS).encode())

    return execute


@pytest.fixture(autouse=True)
def _healthy(server: Server) -> None:
    server.on(LIST, {"items": [api_pod(name) for name in ADDRESSES]})
    for name in ADDRESSES:
        server.on_exec(name, fping())


def swept(
    cluster: Cluster,
    pods: Sequence[LivePod] = PODS,
    *,
    timeout_s: float = 10.0,
    concurrency: int = 16,
    again: Again | None = None,
    attempts: int = 2,
) -> SweepResult:
    return sweep(
        cluster,
        pods,
        PLAN.cells,
        roles=PLAN.roles,
        timeout_s=timeout_s,
        concurrency=concurrency,
        again=again,
        attempts=attempts,
    )


def of(result: SweepResult, source: str | None = None) -> list[Observation]:
    """What a source pod saw, or all."""
    wanted = source or ""
    return [cell for cell in result.cells if cell.cell_id.startswith(wanted)]


def outcomes(cells: Sequence[Observation]) -> set[Outcome]:
    return {cell.outcome for cell in cells}


def involving(result: SweepResult, name: str) -> list[Observation]:
    return [cell for cell in result.cells if name in cell.cell_id.replace("-eth0", "")]


def test_every_cell_is_observed_with_one_exec_per_source(server: Server, cluster: Cluster) -> None:
    result = swept(cluster)
    assert [cell.cell_id for cell in result.cells] == [cell.id for cell in PLAN.cells]
    assert outcomes(result.cells) == {Outcome.REACHABLE}
    assert result.execs == sum(request.startswith("exec") for request in server.requests) == 4


def test_an_observation_tells_how_it_was_made(cluster: Cluster) -> None:
    cell = next(c for c in swept(cluster).cells if c.cell_id == "one-a--two-b-eth0-icmp4")
    assert (cell.sent, cell.received, cell.rtt_ms, cell.tool) == (3, 3, 0.2, "fping -C 3")
    assert (cell.source_interface, cell.source_address) == ("eth0", "10.0.0.1")
    assert cell.destination_address == "10.0.0.4"
    assert cell.repeat == "kubectl exec -n ns one-a -- ping -c 3 10.0.0.4"


def test_layouts_come_along(cluster: Cluster) -> None:
    layouts = swept(cluster).layouts
    assert [layout.role_id for layout in layouts] == [role.id for role in PLAN.roles]
    assert layouts[0].interfaces[0].mtu == 1480
    assert layouts[0].default_routes == ("default via 10.0.0.254 dev eth0",)


def test_silence_is_unreachable(server: Server, cluster: Cluster) -> None:
    server.on_exec("one-a", fping("10.0.0.4"))
    result = swept(cluster)
    wrong = [cell.cell_id for cell in result.cells if cell.outcome is Outcome.UNREACHABLE]
    assert wrong == ["one-a--two-b-eth0-icmp4"]


async def cut_off(socket: web.WebSocketResponse, _argv: list[str]) -> None:
    await send(socket, 1, b"@")
    await cut(socket)


async def prints_nothing(socket: web.WebSocketResponse, _argv: list[str]) -> None:
    await send(socket, 3, json.dumps(SUCCESS).encode())


async def hangs(socket: web.WebSocketResponse, _argv: list[str]) -> None:
    await asyncio.sleep(30)


@pytest.mark.parametrize(
    "play",
    [
        cut_off,
        prints_nothing,
        Answer(status=403, body={"message": "may not"}),
        Answer(status=404, body={"message": "no such pod"}),
        Answer(status=500, body={"message": "kubelet is away"}),
    ],
)
def test_a_broken_exec_breaks_its_own_cells_only(
    server: Server, cluster: Cluster, play: Execution | Answer
) -> None:
    server.on_exec("one-a", play)
    result = swept(cluster)
    assert outcomes(of(result, "one-a")) == {Outcome.NOT_RUN}
    assert all(cell.detail for cell in of(result, "one-a"))
    assert outcomes([c for c in result.cells if not c.cell_id.startswith("one-a")]) == {
        Outcome.REACHABLE
    }
    assert result.layouts[0].problem


def test_an_exec_that_hangs_is_not_waited_for_for_ever(server: Server, cluster: Cluster) -> None:
    server.on_exec("one-a", hangs)
    result = swept(cluster, timeout_s=0.5)
    assert outcomes(of(result, "one-a")) == {Outcome.NOT_RUN}


def test_fewer_at_once_where_the_server_asks_for_it(server: Server, cluster: Cluster) -> None:
    busy = Answer(status=429, body={"message": "slow down"}, headers={"Retry-After": "0"})
    for name in ADDRESSES:
        server.on_exec(name, busy, fping())
    assert outcomes(swept(cluster).cells) == {Outcome.REACHABLE}


def test_a_server_that_stays_too_busy_is_no_verdict(server: Server, cluster: Cluster) -> None:
    busy = Answer(status=429, body={"message": "slow down"}, headers={"Retry-After": "0"})
    server.on_exec("one-a", busy)
    result = swept(cluster)
    assert {(c.outcome, "slow down" in c.detail) for c in of(result, "one-a")} == {
        (Outcome.NOT_RUN, True)
    }


@pytest.mark.parametrize(
    ("now", "words"),
    [
        pytest.param(api_pod("two-b", uid="another"), "made anew", id="made anew"),
        pytest.param(api_pod("two-b", ready="False"), "not ready any more", id="not ready"),
        pytest.param(None, "was deleted", id="deleted"),
    ],
)
def test_a_pod_that_changed_takes_its_cells_with_it(
    server: Server, cluster: Cluster, now: dict[str, Any] | None, words: str
) -> None:
    others = [api_pod(name) for name in ADDRESSES if name != "two-b"]
    server.on(LIST, {"items": [*others, *([now] if now else [])]})
    result = swept(cluster)
    touched = involving(result, "two-b")
    assert len(touched) == 6
    assert outcomes(touched) == {Outcome.NOT_RUN}
    assert all(words in cell.detail for cell in touched)
    assert outcomes([c for c in result.cells if c not in touched]) == {Outcome.REACHABLE}


def test_pods_that_cannot_be_checked_afterwards_are_no_verdict(
    server: Server, cluster: Cluster
) -> None:
    server.on(LIST, {"message": "no"}, status=403)
    assert outcomes(swept(cluster).cells) == {Outcome.NOT_RUN}


def test_a_pod_with_a_problem_is_neither_asked_nor_aimed_at(
    server: Server, cluster: Cluster
) -> None:
    pods = [*PODS[:3], replace(PODS[3], problem="ImagePullBackOff")]
    result = swept(cluster, pods)
    assert outcomes(involving(result, "two-b")) == {Outcome.NOT_RUN}
    assert "exec two-b" not in server.requests
    assert result.layouts[-1].problem == "ImagePullBackOff"


def test_an_address_given_twice_is_never_reachable(cluster: Cluster) -> None:
    pods = [*PODS[:3], replace(PODS[3], pod_ips=("10.0.0.3",))]
    result = swept(cluster, pods)
    touched = [c for c in result.cells if c.destination_address == "10.0.0.3"]
    assert touched
    assert outcomes(touched) == {Outcome.NOT_RUN}
    assert "no telling who answered" in touched[0].detail


def failed(observations: Sequence[Observation]) -> list[str]:
    return [o.cell_id for o in observations if o.outcome is not Outcome.REACHABLE]


def test_only_what_is_asked_for_is_probed_again(server: Server, cluster: Cluster) -> None:
    server.on_exec("one-a", fping("10.0.0.4"), fping())
    result = swept(cluster, again=failed, attempts=3)
    (cell,) = [cell for cell in result.cells if cell.attempts > 1]
    assert (cell.outcome, cell.attempts) == (Outcome.REACHABLE, 2)
    assert cell.earlier == (Outcome.UNREACHABLE,)
    assert result.execs == 5


def test_rounds_end_after_the_last_attempt(server: Server, cluster: Cluster) -> None:
    server.on_exec("one-a", fping("10.0.0.4"))
    result = swept(cluster, again=failed, attempts=3)
    (cell,) = [cell for cell in result.cells if cell.outcome is Outcome.UNREACHABLE]
    assert (cell.attempts, len(cell.earlier)) == (3, 2)


def test_no_more_execs_at_once_than_allowed(server: Server, cluster: Cluster) -> None:
    swept(cluster, concurrency=2)
    assert server.most_execs_at_once <= 2


def test_nothing_planned_is_nothing_seen_but_the_layout(cluster: Cluster) -> None:
    cells: list[Cell] = []
    roles: tuple[PodRole, ...] = PLAN.roles
    result = sweep(cluster, PODS, cells, roles=roles, timeout_s=5, sending=Sending())
    assert result.cells == ()
    assert not any(layout.problem for layout in result.layouts)
