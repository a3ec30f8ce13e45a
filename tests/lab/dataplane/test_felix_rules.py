"""Felix's rules where they differ from the recorded cluster's."""

import pytest

from podmatrix.lab.dataplane.felix_chain import hashes, limited_name
from podmatrix.lab.dataplane.felix_rules import FelixRules
from podmatrix.lab.dataplane.kernel import Kernel
from podmatrix.lab.dataplane.plan import plan_networks
from podmatrix.lab.topology import Encapsulation, Topology
from tests.lab.inside import inside


def felix(
    encapsulation: Encapsulation, *, ipsets: bool = True, nodes: int = 2, nat_outgoing: bool = True
) -> FelixRules:
    topology = Topology.model_validate({"calico": {"nat_outgoing": nat_outgoing}})
    kernel = Kernel(encapsulation=encapsulation, ipsets=ipsets)
    plan = plan_networks(topology.with_nodes(nodes), kernel)
    return FelixRules(plan, plan.nodes[0])


def rules(felix: FelixRules, *tables: str) -> str:
    return "\n".join(
        rule for table in tables for chain in felix.static(table).values() for rule in chain
    )


def test_hash_is_that_of_every_cluster() -> None:
    assert hashes("PREROUTING", ["--jump cali-PREROUTING"]) == ["6gwbT8clXdHdC1b1"]


@pytest.mark.parametrize(
    ("suffix", "name"),
    [
        ("kns.net", "cali-pri-kns.net"),
        ("ksa.kube-system.coredns", "cali-pri-_u2Tn2rSoAPffvE7JO6"),
    ],
)
def test_long_chain_names_end_in_a_hash(suffix: str, name: str) -> None:
    assert limited_name("cali-pri-", suffix) == name


def test_without_encapsulation_no_tunnel_is_mentioned() -> None:
    text = rules(felix("none"), "raw", "filter", "nat")
    assert "4789" not in text
    assert "tunl0" not in text


def test_ipip_comes_from_the_nodes_alone() -> None:
    felix_rules = felix("ipip")
    text = rules(felix_rules, "filter")
    assert "-p 4 -m set --match-set cali40all-hosts-net src -m addrtype --dst-type LOCAL" in text
    assert '"Drop IPIP packets from non-Calico hosts" -p 4 --jump DROP' in text
    (hosts,) = (s for s in felix_rules.ipsets() if s.name == "cali40all-hosts-net")
    assert hosts.members == ("192.168.31.128", "192.168.31.129")


@pytest.mark.parametrize(
    ("encapsulation", "device"), [("ipip", "tunl0"), ("vxlan", "vxlan.calico")]
)
def test_what_leaves_by_the_tunnel_gets_its_address(
    encapsulation: Encapsulation, device: str
) -> None:
    text = rules(felix(encapsulation), "nat")
    assert f"--out-interface {device} -m addrtype ! --src-type LOCAL --limit-iface-out" in text


def test_encapsulated_packets_of_strangers_are_dropped() -> None:
    assert inside("tests.lab.dataplane.scenarios:stranger") == {
        "Allow IPv4 VXLAN packets from": 1,
        "Drop IPv4 VXLAN packets from": 2,
    }


def test_without_nat_outgoing_the_chain_is_empty() -> None:
    assert felix("none", nat_outgoing=False).static("nat")["cali-nat-outgoing"] == []


def test_without_ipsets_the_members_are_matched() -> None:
    assert felix("none", ipsets=False).static("nat")["cali-nat-outgoing"] == [
        "--source 10.200.0.0/16 ! --destination 10.200.0.0/16 --jump MASQUERADE --random-fully"
    ]


@pytest.mark.parametrize("nodes", [1, 3])
@pytest.mark.parametrize("encapsulation", ["none", "ipip", "vxlan"])
def test_without_ipsets_no_set_is_mentioned(encapsulation: Encapsulation, nodes: int) -> None:
    text = rules(felix(encapsulation, ipsets=False, nodes=nodes), "mangle", "filter", "nat")
    assert "--match-set" not in text
    assert "--source  " not in text
