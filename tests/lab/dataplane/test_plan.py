"""Addresses that nodes get."""

from podmatrix.lab.dataplane.kernel import Kernel
from podmatrix.lab.dataplane.plan import NetworkPlan, plan_networks
from podmatrix.lab.topology import Encapsulation, Topology


def plan(encapsulation: Encapsulation = "none", nodes: int = 2, **calico: object) -> NetworkPlan:
    topology = Topology.model_validate({"calico": calico}).with_nodes(nodes)
    return plan_networks(topology, Kernel(encapsulation=encapsulation, ipsets=True))


def test_every_node_has_a_block_of_its_own() -> None:
    blocks = {node.block for node in plan(nodes=16).nodes}
    assert len(blocks) == 16
    assert {block.prefixlen for block in blocks} == {26}


def test_blocks_fill_a_small_pool() -> None:
    nodes = plan(nodes=4, pool="10.200.0.0/24").nodes
    assert {str(node.block) for node in nodes} == {
        f"10.200.0.{first}/26" for first in (0, 64, 128, 192)
    }


def test_blocks_are_the_same_in_every_run() -> None:
    assert [node.block for node in plan().nodes] == [node.block for node in plan().nodes]


def test_subnets_are_counted_through() -> None:
    assert [str(node.pod_cidr) for node in plan().nodes] == ["10.244.0.0/24", "10.244.1.0/24"]


def test_tunnel_has_the_first_address_of_the_block() -> None:
    assert all(node.tunnel_address == node.block[0] for node in plan("vxlan").nodes)


def test_without_tunnel_there_is_no_tunnel_address() -> None:
    assert all(node.tunnel_address is None for node in plan("none").nodes)


def test_mac_addresses_are_different() -> None:
    macs = [mac for node in plan(nodes=8).nodes for mac in (node.flannel_mac, node.calico_mac)]
    assert len(set(macs)) == 16
