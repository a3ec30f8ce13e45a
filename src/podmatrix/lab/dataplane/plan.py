"""Who gets which addresses: what the nodes agree on before the first device is made.

Pure but for the MAC addresses, which are drawn at random as the kernel would.
"""

import hashlib
import random
from collections.abc import Iterator
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network

from podmatrix.lab.dataplane.kernel import Kernel
from podmatrix.lab.second_underlay import address_on, second_address
from podmatrix.lab.topology import Encapsulation, NodeSpec, Topology


@dataclass(frozen=True, slots=True, kw_only=True)
class NodePlan:
    """One node. `tunnel_address` is the first of its block, None where Calico has no tunnel.

    `flannel_endpoint` and `calico_endpoint` are the addresses of the NICs that they are bound to.
    """

    index: int
    name: str
    address: IPv4Address
    second_address: IPv4Address | None
    flannel_endpoint: IPv4Address
    calico_endpoint: IPv4Address
    pod_cidr: IPv4Network
    block: IPv4Network
    tunnel_address: IPv4Address | None
    flannel_mac: str
    calico_mac: str

    @property
    def flannel_address(self) -> IPv4Address:
        """Of flannel.1: the first address of the node's subnet (flannel, backend/vxlan)."""
        return self.pod_cidr.network_address


@dataclass(frozen=True, slots=True, kw_only=True)
class NetworkPlan:
    """The cluster."""

    topology: Topology
    kernel: Kernel
    nodes: tuple[NodePlan, ...]

    @property
    def encapsulation(self) -> Encapsulation:
        """Calico's, with `auto` decided."""
        return self.kernel.encapsulation

    @property
    def calico_mtu(self) -> int:
        """MTU of Calico's pods and tunnel in bytes."""
        return self.topology.calico_mtu(self.encapsulation)

    def node(self, name: str) -> NodePlan:
        """The node of that name."""
        return next(node for node in self.nodes if node.name == name)

    def peers(self, node: NodePlan) -> Iterator[NodePlan]:
        """All nodes but this one."""
        return (other for other in self.nodes if other.name != node.name)


def plan_networks(topology: Topology, kernel: Kernel) -> NetworkPlan:
    """Hand out blocks, subnets, tunnel addresses and the MAC addresses of the tunnel devices."""
    blocks = _blocks(topology)
    return NetworkPlan(
        topology=topology,
        kernel=kernel,
        nodes=tuple(
            NodePlan(
                index=index,
                name=spec.name,
                address=spec.address,
                second_address=second_address(topology, spec),
                flannel_endpoint=address_on(topology, spec, topology.flannel_nic),
                calico_endpoint=address_on(topology, spec, topology.calico_nic),
                pod_cidr=topology.pod_cidr(spec.name),
                block=block,
                tunnel_address=None if kernel.encapsulation == "none" else block.network_address,
                flannel_mac=random_mac(),
                calico_mac=random_mac(),
            )
            for index, (spec, block) in enumerate(zip(topology.nodes, blocks, strict=True))
        ),
    )


def _blocks(topology: Topology) -> Iterator[IPv4Network]:
    """A block for each node: Calico starts looking at a place that a hash of the name gives."""
    pool, size = topology.calico.pool, topology.calico.block_size
    count = 2 ** (size - pool.prefixlen)
    taken: set[int] = set()
    for spec in topology.nodes:
        number = _first_choice(spec, count)
        while number in taken:
            number = (number + 1) % count
        taken.add(number)
        yield IPv4Network((int(pool.network_address) + number * 2 ** (32 - size), size))


def _first_choice(spec: NodeSpec, count: int) -> int:
    return int.from_bytes(hashlib.sha256(spec.name.encode()).digest()[:8]) % count


def random_mac() -> str:
    """A unicast, locally administered MAC address."""
    octets = random.randbytes(6)
    return ":".join(f"{octet:02x}" for octet in ((octets[0] & 0xFC) | 0x02, *octets[1:]))
