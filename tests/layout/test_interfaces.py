import pytest

from podmatrix.model import Address, Verdict
from podmatrix.profile import parse_profile
from tests.layout.changes import facts, interface, node, without_interface
from tests.samples import ISOLATED


def ip(address: str, prefix_length: int) -> tuple[Address, ...]:
    family = 6 if ":" in address else 4
    return (Address(family=family, address=address, prefix_length=prefix_length),)


def test_a_healthy_run_passes_every_fact_of_the_owner() -> None:
    assert {judged.verdict for judged in facts().values()} == {Verdict.PASS}


def test_an_interface_that_is_missing_fails_once_and_leaves_the_rest_unjudged() -> None:
    found = facts(without_interface("dual-a", "net1"))
    assert found["dual-a-net1-present"].verdict is Verdict.FAIL
    assert found["dual-a-net1-present"].detail == "the pod has no interface net1"
    assert found["dual-a-net1-mtu"].verdict is Verdict.BROKEN
    assert found["dual-a-eth0-mtu"].verdict is Verdict.PASS


def test_an_interface_that_is_down_is_not_present() -> None:
    found = facts(interface("dual-a", "net1", up=False))["dual-a-net1-present"]
    assert (found.expected, found.observed, found.verdict) == ("up", "down", Verdict.FAIL)


def test_another_mtu_than_declared_fails() -> None:
    found = facts(interface("dual-a", "net1", mtu=1500))["dual-a-net1-mtu"]
    assert (found.expected, found.observed, found.verdict) == (1450, 1500, Verdict.FAIL)


def test_where_no_mtu_is_declared_the_pods_of_a_network_must_agree() -> None:
    found = facts(profile="full-mesh")["calico-a-eth0-mtu"]
    assert (found.expected, found.observed, found.verdict) == (1480, 1480, Verdict.PASS)


def test_where_no_mtu_is_declared_the_odd_one_fails() -> None:
    found = facts(interface("calico-a", "eth0", mtu=1500), profile="full-mesh")
    assert found["calico-a-eth0-mtu"].verdict is Verdict.FAIL
    assert found["calico-a-eth0-mtu"].expected == 1480
    assert "1500 on calico-a eth0" in found["calico-a-eth0-mtu"].detail
    assert found["calico-b-eth0-mtu"].verdict is Verdict.PASS


def test_where_nothing_tells_which_mtu_is_odd_all_fail() -> None:
    changes = [interface(role, "eth0", mtu=1500) for role in ("calico-a", "dual-a")]
    found = facts(*changes, profile="full-mesh")
    on_calico = [found[f"{role}-eth0-mtu"] for role in ("calico-a", "calico-b", "dual-b")]
    assert {judged.verdict for judged in on_calico} == {Verdict.FAIL}
    assert {judged.expected for judged in on_calico} == {None}


def test_a_single_pod_of_a_network_is_only_observed() -> None:
    text = ISOLATED.replace(", mtu: 1480", "").replace("  calico: {eth0: calico}\n", "", 1)
    found = facts(profile=parse_profile(text, source="x"), n=1)["dual-a-eth0-mtu"]
    assert (found.observed, found.verdict) == (1480, Verdict.OBSERVED)


def test_an_address_outside_the_declared_pool_fails() -> None:
    found = facts(interface("calico-a", "eth0", addresses=ip("10.201.0.7", 32)))
    assert found["calico-a-eth0-pool"].verdict is Verdict.FAIL
    assert found["calico-a-eth0-pool"].detail == "10.201.0.7 is not in 10.200.0.0/16"


def test_an_interface_without_address_fails_its_pool() -> None:
    found = facts(interface("calico-a", "eth0", addresses=ip("fe80::1", 64)))
    assert found["calico-a-eth0-pool"].detail == "eth0 has no IPv4 address"
    assert found["calico-a-eth0-address-unique"].verdict is Verdict.BROKEN


def test_without_a_declared_pool_the_address_is_only_shown() -> None:
    found = facts(profile="full-mesh")["flannel-a-eth0-pool"]
    assert (found.observed, found.verdict) == ("10.244.0.4/24", Verdict.OBSERVED)


def test_calico_addresses_are_host_routes() -> None:
    found = facts(interface("calico-a", "eth0", addresses=ip("10.200.100.9", 24)))
    assert found["calico-a-eth0-prefix"].verdict is Verdict.FAIL
    assert (found["calico-a-eth0-prefix"].expected, found["calico-a-eth0-prefix"].observed) == (
        "/32",
        "/24",
    )


def test_the_prefix_of_an_undeclared_cni_is_only_shown() -> None:
    found = facts(profile="full-mesh")["calico-a-eth0-prefix"]
    assert (found.observed, found.verdict) == ("/32", Verdict.OBSERVED)


def test_a_flannel_address_lies_in_the_subnet_of_its_own_node() -> None:
    found = facts(interface("flannel-a", "eth0", addresses=ip("10.244.1.99", 24)))
    judged = found["flannel-a-eth0-node-subnet"]
    assert (judged.expected, judged.observed) == ("10.244.0.0/24", "10.244.1.0/24")
    assert judged.verdict is Verdict.FAIL
    assert found["flannel-a-eth0-pool"].verdict is Verdict.PASS


def test_a_flannel_address_has_the_prefix_of_its_nodes_subnet() -> None:
    found = facts(interface("flannel-a", "eth0", addresses=ip("10.244.0.4", 16)))
    assert found["flannel-a-eth0-node-subnet"].verdict is Verdict.FAIL


def test_without_a_pod_cidr_the_subnet_is_only_shown() -> None:
    found = facts(node("a", pod_cidrs=()))["flannel-a-eth0-node-subnet"]
    assert (found.observed, found.verdict) == ("10.244.0.0/24", Verdict.OBSERVED)
    assert "no podCIDR" in found.detail


def test_a_pod_cidr_that_is_not_flannels_says_nothing_of_its_subnets() -> None:
    found = facts(node("a", pod_cidrs=("172.16.0.0/24",)))["flannel-a-eth0-node-subnet"]
    assert found.verdict is Verdict.OBSERVED
    assert "172.16.0.0/24 of node1 is not in 10.244.0.0/16" in found.detail


@pytest.mark.parametrize("fact", ["flannel-a-eth0-address-unique", "dual-a-net1-address-unique"])
def test_one_address_in_two_pods_fails_both(fact: str) -> None:
    found = facts(interface("dual-a", "net1", addresses=ip("10.244.0.4", 24)))
    assert found[fact].verdict is Verdict.FAIL
    assert "10.244.0.4 is also on" in found[fact].detail


def test_a_dual_stack_network_needs_an_address_of_each_family() -> None:
    text = ISOLATED.replace("[10.200.0.0/16]", '[10.200.0.0/16, "fd00:10:200::/56"]')
    found = facts(profile=parse_profile(text, source="x"))["calico-a-eth0-pool"]
    assert (found.verdict, found.detail) == (Verdict.FAIL, "eth0 has no IPv6 address")
