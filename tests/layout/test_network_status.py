from dataclasses import replace

import pytest

from podmatrix.model import Address, LivePod, NetworkStatus, Verdict
from podmatrix.profile import parse_profile
from tests.layout.changes import Change, facts, interface, pod
from tests.samples import ISOLATED, live_pod, nodes, owner


def statuses(role_id: str) -> tuple[NetworkStatus, ...]:
    role = next(role for role in owner().roles(("a",)) if role.id == role_id)
    its: LivePod = live_pod(role, nodes()[0])
    return its.network_status


def changed(role_id: str, index: int, **fields: object) -> Change:
    its = list(statuses(role_id))
    its[index] = replace(its[index], **fields)  # type: ignore[arg-type]  # any field of it
    return pod(role_id, network_status=tuple(its))


def test_a_pod_without_the_annotation_fails() -> None:
    found = facts(pod("dual-a", network_status=()))["dual-a-net1-network-status"]
    assert found.verdict is Verdict.FAIL
    assert "no network-status annotation" in found.detail


def test_an_interface_without_element_fails() -> None:
    found = facts(pod("dual-a", network_status=statuses("dual-a")[:1]))
    assert found["dual-a-net1-network-status"].detail == (
        "network-status has no element for net1, only for eth0"
    )
    assert found["dual-a-eth0-network-status"].verdict is Verdict.PASS


def test_the_default_element_may_lack_its_interface() -> None:
    found = facts(changed("calico-a", 0, interface=None, mac=""))
    assert found["calico-a-eth0-network-status"].verdict is Verdict.PASS


@pytest.mark.parametrize("name", ["", "cbr0", "k8s-pod-network"])
def test_the_name_of_the_default_network_is_not_compared(name: str) -> None:
    found = facts(changed("calico-a", 0, name=name))
    assert found["calico-a-eth0-network-status"].verdict is Verdict.PASS


def test_another_nad_than_declared_fails() -> None:
    found = facts(changed("dual-a", 1, name="default/other"))["dual-a-net1-network-status"]
    assert found.detail == (
        "network-status says it is on 'default/other', declared is default/flannel-conf"
    )


def test_the_same_nad_in_the_namespace_of_the_run_is_as_declared() -> None:
    found = facts(changed("dual-a", 1, name="podmatrix-ab12/flannel-conf"))
    assert found["dual-a-net1-network-status"].verdict is Verdict.PASS


@pytest.mark.parametrize(
    ("change", "who"),
    [
        (changed("calico-a", 0, ips=("10.200.9.9",)), "network-status disagrees"),
        (changed("calico-a", 0, ips=()), "network-status disagrees"),
        (pod("calico-a", pod_ips=("10.200.9.9",)), "status.podIPs disagrees"),
        (pod("calico-a", pod_ips=()), "status.podIPs disagrees"),
        (
            interface(
                "calico-a",
                "eth0",
                addresses=(Address(family=4, address="10.200.9.9", prefix_length=32),),
            ),
            "ip a disagrees",
        ),
        (changed("dual-a", 1, ips=("10.244.0.77",)), "they disagree"),
    ],
)
def test_the_source_that_disagrees_is_named(change: Change, who: str) -> None:
    wrong = [
        judged
        for judged in facts(change).values()
        if judged.fact.check == "network-status" and judged.verdict is Verdict.FAIL
    ]
    assert [judged.detail.split(":")[0] for judged in wrong] == [who]


def test_three_opinions_name_no_culprit() -> None:
    found = facts(
        changed("calico-a", 0, ips=("10.200.9.9",)), pod("calico-a", pod_ips=("1.2.3.4",))
    )
    assert found["calico-a-eth0-network-status"].detail.startswith("they disagree")


@pytest.mark.parametrize(
    ("fields", "detail"),
    [
        ({"mac": "02:00:00:00:00:99"}, "MAC 02:00:00:00:00:99"),
        ({"mtu": 1500}, "says MTU 1500, ip a says 1450"),
    ],
)
def test_mac_and_mtu_are_compared_where_they_are_given(
    fields: dict[str, object], detail: str
) -> None:
    found = facts(changed("dual-a", 1, **fields))["dual-a-net1-network-status"]
    assert found.verdict is Verdict.FAIL
    assert detail in found.detail


def test_a_mac_in_capitals_is_the_same() -> None:
    upper = interface("dual-a", "net1", mac="02:00:00:00:00:0A")
    found = facts(upper, changed("dual-a", 1, mac="02:00:00:00:00:0a"))
    assert found["dual-a-net1-network-status"].verdict is Verdict.PASS


def test_a_gateway_that_is_no_address_is_tolerated() -> None:
    found = facts(changed("calico-a", 0, gateway=("<nil>",)))
    assert found["calico-a-eth0-network-status"].verdict is Verdict.PASS


def test_roles_of_a_network_may_have_nads_of_their_own() -> None:
    text = ISOLATED.replace(
        "attach: default/flannel-conf",
        "attach: {default: default/flannel-conf, secondary: default/flannel-second}",
    )
    found = facts(profile=parse_profile(text, source="x"))
    assert found["flannel-a-eth0-network-status"].verdict is Verdict.PASS
    assert found["dual-a-net1-network-status"].verdict is Verdict.FAIL
