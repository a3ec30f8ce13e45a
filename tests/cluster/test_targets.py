"""Which address a cell aims at, and when an answer would mean nothing."""

from collections.abc import Iterable
from dataclasses import replace
from typing import Any

import pytest

from podmatrix.cluster.targets import Addresses, Source, Target, repeat_command
from podmatrix.model import Attachment, Cell, LivePod, Mode, NetworkStatus, PodRole

ROLES = {
    role.id: role
    for slot in "ab"
    for role in (
        PodRole(kind="calico", slot=slot, interfaces=(("eth0", "calico"),)),
        PodRole(kind="dual", slot=slot, interfaces=(("eth0", "calico"), ("net1", "flannel"))),
        PodRole(kind="host", slot=slot, host_network=True),
        PodRole(kind="node", slot=slot, host_network=True),
    )
}
LAST = {"a": 1, "b": 2}


def pod(role: PodRole, net1: str | None = None) -> LivePod:
    last = LAST[role.slot]
    host_ip = f"192.168.31.{last}"
    own = {"calico": f"10.200.0.{last}", "dual": f"10.200.1.{last}"}.get(role.kind, host_ip)
    status = NetworkStatus(name="f", interface="net1", ips=(net1 or f"10.244.0.{last}",))
    return LivePod(
        role_id=role.id,
        namespace="ns",
        name=role.id,
        uid="u",
        node_name=f"node{last}",
        host_ip=host_ip,
        pod_ips=(own,),
        network_status=(status,) if role.kind == "dual" else (),
    )


PODS = {role_id: pod(role) for role_id, role in ROLES.items()}


def addresses(changed: Iterable[LivePod] = ()) -> Addresses:
    return Addresses(PODS | {pod.role_id: pod for pod in changed}, ROLES)


def cell(source: str, destination: str, bound: str | None = None, family: int = 4) -> Cell:
    def attachment(words: str, interface: str | None = None) -> Attachment:
        kind, slot, *rest = words.split("-")
        name = rest[0] if rest else interface
        return Attachment(kind=kind, slot=slot, interface=name, network=None)

    return Cell(
        source=attachment(source, bound),
        destination=attachment(destination),
        family=family,
        mode=Mode.BOUND if bound else Mode.NATURAL,
    )


def aimed(found: Target | str) -> Target:
    assert isinstance(found, Target), found
    return found


@pytest.mark.parametrize(
    ("destination", "address"),
    [
        ("calico-b-eth0", "10.200.0.2"),
        ("dual-b-eth0", "10.200.1.2"),
        ("dual-b-net1", "10.244.0.2"),
        ("host-b", "192.168.31.2"),
    ],
)
def test_the_address_is_that_of_the_interface(destination: str, address: str) -> None:
    target = aimed(addresses().target(cell("calico-a", destination)))
    assert (target.address, target.own, target.interface) == (address, "10.200.0.1", None)


def test_a_bound_probe_starts_from_the_address_of_its_interface() -> None:
    target = aimed(addresses().target(cell("dual-a", "dual-b-net1", bound="net1")))
    assert (target.interface, target.own) == ("net1", "10.244.0.1")


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"problem": "ImagePullBackOff"}, "destination pod dual-b: ImagePullBackOff"),
        ({"network_status": ()}, "no address: neither status nor network-status tells an IPv4"),
    ],
)
def test_what_cannot_be_aimed_at_says_why(change: dict[str, Any], words: str) -> None:
    changed = replace(PODS["dual-b"], **change)
    found = addresses([changed]).target(cell("calico-a", "dual-b-net1"))
    assert words in str(found)


def test_an_address_of_the_other_family_is_none() -> None:
    found = addresses().target(cell("calico-a", "calico-b-eth0", family=6))
    assert "tells an IPv6 one for eth0 of calico-b" in str(found)


def test_an_address_that_the_source_has_too_would_be_answered_by_itself() -> None:
    twice = replace(PODS["dual-b"], network_status=PODS["dual-a"].network_status)
    found = addresses([twice]).target(cell("dual-a", "dual-b-net1"))
    assert "10.244.0.1 is also an address of the source pod itself" in str(found)


def test_an_address_given_twice_does_not_tell_who_answered() -> None:
    twice = replace(PODS["dual-b"], network_status=PODS["dual-a"].network_status)
    target = aimed(addresses([twice]).target(cell("calico-a", "dual-b-net1")))
    assert target.ambiguous.startswith("10.244.0.1 is held by pod dual-a and by pod dual-b")


def test_host_network_pods_of_one_node_share_its_address_rightly() -> None:
    assert aimed(addresses().target(cell("calico-a", "host-b"))).ambiguous == ""


def test_host_network_pods_of_one_node_reach_each_other_at_its_address() -> None:
    target = aimed(addresses().target(cell("host-a", "node-a")))
    assert (target.address, target.own, target.ambiguous) == ("192.168.31.1", "192.168.31.1", "")


@pytest.mark.parametrize(("role_id", "expected"), [("calico-a", True), ("dual-a", False)])
def test_only_a_pod_with_one_address_may_name_its_source(role_id: str, expected: bool) -> None:
    source = Source(role=ROLES[role_id], pod=PODS[role_id])
    assert addresses().is_only_source(source, 4) is expected


def test_a_probe_can_be_repeated_by_hand() -> None:
    target = aimed(addresses().target(cell("dual-a", "dual-b-net1", bound="net1")))
    assert repeat_command(PODS["dual-a"], target, 3) == (
        "kubectl exec -n ns dual-a -- ping -c 3 -I net1 10.244.0.2"
    )
