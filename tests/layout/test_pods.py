from dataclasses import replace

import pytest

from podmatrix.errors import JudgeError
from podmatrix.layout import judge_layout
from podmatrix.model import Interface, LayoutFact, Observations, PodLayout, Verdict
from podmatrix.plan import make_plan
from tests.layout.changes import Change, default_routes, facts, layout, node, pod, without_interface
from tests.samples import observations, owner

TWO_DEFAULTS = ("default via 10.244.0.1 dev net1", "default via 169.254.1.1 dev eth0")


def adding(role_id: str, name: str) -> Change:
    extra = Interface(name=name, mtu=1500, up=True)
    return layout(role_id, lambda p: replace(p, interfaces=(*p.interfaces, extra)))


def reordered(p: PodLayout) -> PodLayout:
    return replace(p, interfaces=tuple(reversed(p.interfaces)))


def test_a_pod_on_another_node_than_its_own_fails() -> None:
    found = facts(pod("calico-a", node_name="node2"))["calico-a-node"]
    assert (found.expected, found.observed, found.verdict) == ("node1", "node2", Verdict.FAIL)


def test_where_a_pod_runs_is_known_even_while_it_does_not_start() -> None:
    found = facts(pod("calico-a", problem="ContainerCreating"))
    assert found["calico-a-node"].verdict is Verdict.PASS


def test_a_pod_that_is_on_no_node_is_broken() -> None:
    found = facts(pod("calico-a", node_name="", problem="0/2 nodes are available"))
    assert found["calico-a-node"].verdict is Verdict.BROKEN
    assert found["calico-a-node"].detail == "0/2 nodes are available"


def test_a_host_pod_with_another_address_than_its_nodes_fails() -> None:
    found = facts(node("a", internal_ip="192.168.31.200"))["host-a-node-address"]
    assert (found.expected, found.observed) == ("192.168.31.200", "192.168.31.128")
    assert found.verdict is Verdict.FAIL


@pytest.mark.parametrize("name", ["lo", "tunl0", "gre0", "ip6tnl0", "sit0"])
def test_devices_of_the_kernel_are_no_interfaces_of_the_pod(name: str) -> None:
    found = facts(adding("calico-a", name))["calico-a-interfaces"]
    assert (found.observed, found.verdict) == ("eth0", Verdict.PASS)


def test_an_interface_that_nobody_declared_fails() -> None:
    found = facts(adding("calico-a", "net1"))["calico-a-interfaces"]
    assert (found.verdict, found.detail) == (Verdict.FAIL, "not declared: net1")


def test_an_interface_that_is_missing_fails() -> None:
    found = facts(without_interface("dual-a", "net1"))["dual-a-interfaces"]
    assert (found.expected, found.observed) == ("eth0, net1", "eth0")
    assert found.detail == "missing: net1"


def test_another_order_than_declared_fails() -> None:
    found = facts(layout("dual-a", reordered))["dual-a-interfaces"]
    assert (found.verdict, found.detail) == (Verdict.FAIL, "in another order than declared")


def test_two_default_routes_fail_whatever_pings_say() -> None:
    found = facts(default_routes("dual-a", *TWO_DEFAULTS))["dual-a-default-route"]
    assert found.verdict is Verdict.FAIL
    assert found.observed == "; ".join(TWO_DEFAULTS)
    assert "2 default routes" in found.detail


def test_no_default_route_fails() -> None:
    found = facts(default_routes("calico-a"))["calico-a-default-route"]
    assert (found.verdict, found.detail) == (Verdict.FAIL, "no default route for IPv4")


def test_routes_that_could_not_be_read_are_broken_not_absent() -> None:
    unread = layout("calico-a", lambda p: replace(p, default_routes=(), routes_unread=(4,)))
    judged = facts(unread)["calico-a-default-route"]
    assert judged.verdict is Verdict.BROKEN
    assert "IPv4 routes could not be read" in judged.detail


def test_a_default_route_by_another_interface_than_the_first_fails() -> None:
    found = facts(default_routes("dual-a", TWO_DEFAULTS[0]))["dual-a-default-route"]
    assert (found.verdict, found.detail) == (Verdict.FAIL, "it leaves by net1, not by eth0")


def test_the_gateway_of_a_flannel_pod_is_its_own_nodes_cni0() -> None:
    found = facts(default_routes("flannel-a", "default via 10.244.1.1 dev eth0 "))
    judged = found["flannel-a-default-route"]
    assert (judged.verdict, judged.detail) == (
        Verdict.FAIL,
        "its gateway is 10.244.1.1, cni0 of node1 has 10.244.0.1",
    )


def test_a_default_route_of_an_undeclared_family_is_left_alone() -> None:
    routes = ("default via 169.254.1.1 dev eth0", "default via fe80::1 dev eth0 metric 1024")
    found = facts(default_routes("calico-a", *routes))
    assert found["calico-a-default-route"].verdict is Verdict.PASS


@pytest.mark.parametrize(
    ("change", "why"),
    [
        (pod("dual-a", problem="net1 was never added"), "net1 was never added"),
        (layout("dual-a", lambda p: replace(p, problem="ip: not found")), "ip: not found"),
        (lambda seen: replace(seen, layouts=()), "its interfaces were not read"),
        (lambda seen: replace(seen, pods=()), "no pod dual-a was seen in this run"),
    ],
)
def test_what_could_not_be_read_is_broken_and_never_wrong(change: Change, why: str) -> None:
    found = [judged for name, judged in facts(change).items() if name.startswith("dual-a-net1")]
    assert {judged.verdict for judged in found} == {Verdict.BROKEN}
    assert {judged.detail for judged in found} == {why}


def test_a_check_that_nobody_knows_is_refused() -> None:
    fact = LayoutFact(kind="dual", slot="a", interface=None, check="colour")
    with pytest.raises(JudgeError, match="colour"):
        judge_layout(owner(), [fact], healthy())


def test_a_pod_kind_that_nobody_declared_is_refused() -> None:
    fact = LayoutFact(kind="triple", slot="a", interface=None, check="node")
    with pytest.raises(JudgeError, match="triple"):
        judge_layout(owner(), [fact], healthy())


def healthy() -> Observations:
    return observations(owner(), make_plan(owner(), ("a", "b")), {})
