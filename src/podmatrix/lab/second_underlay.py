"""A second NIC in every node, on a wire of its own, and what Calico and Flannel are bound to.

A declaration and what follows from it; no I/O. Flanneld takes its NIC from `--iface`, calico-node
from its autodetection method; without either both take that of the default route, the first.
"""

from collections.abc import Iterator
from ipaddress import IPv4Address, IPv4Network
from typing import TYPE_CHECKING, Annotated

from pydantic import BaseModel, ConfigDict, Field

if TYPE_CHECKING:
    from podmatrix.lab.topology import NodeSpec, Topology

Ifname = Annotated[str, Field(pattern=r"^[A-Za-z0-9_.-]+$", max_length=15)]  # IFNAMSIZ - 1


class SecondUnderlaySpec(BaseModel):
    """The network that the second NICs are plugged into. It has no gateway."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    nic: Ifname = "ens34"
    cidr: IPv4Network
    mtu: Annotated[int, Field(ge=626, le=65535)] = 1500
    """At least 576 bytes and Flannel's overhead."""


def second_address(topology: "Topology", node: "NodeSpec") -> IPv4Address | None:
    """A node's address there: as declared, else with the host part of its first one."""
    if topology.second_underlay is None:
        return None
    if node.second_address is not None:
        return node.second_address
    host_part = int(node.address) - int(topology.underlay.cidr.network_address)
    return topology.second_underlay.cidr.network_address + host_part


def address_on(topology: "Topology", node: "NodeSpec", nic: str) -> IPv4Address:
    """A node's address on one of its NICs."""
    second = second_address(topology, node)
    return second if second is not None and nic != topology.nic else node.address


def mtu_of(topology: "Topology", nic: str) -> int:
    """MTU of one of the nodes' NICs in bytes."""
    second = topology.second_underlay
    return second.mtu if second is not None and nic == second.nic else topology.underlay.mtu


def smallest_mtu(topology: "Topology") -> int:
    """MTU that Calico's pods get theirs from: whatever its NIC is (felix, int_dataplane.go)."""
    second = topology.second_underlay
    return min(topology.underlay.mtu, second.mtu if second is not None else topology.underlay.mtu)


def problems(topology: "Topology") -> Iterator[str]:
    """What does not fit together: path, what is wrong, cure."""
    second = topology.second_underlay
    nics = [topology.nic] if second is None else [topology.nic, second.nic]
    for path, nic in (
        ("flannel.iface", topology.flannel.iface),
        ("calico.nic", topology.calico.nic),
    ):
        if nic is not None and nic not in nics:
            yield f"{path}: {nic} is no NIC of the nodes: choose {' or '.join(nics)}"
    if second is not None:
        yield from _second_problems(topology, second)
        return
    for index, node in enumerate(topology.nodes):
        if node.second_address is not None:
            yield f"nodes[{index}].second_address: there is no second NIC: add second_underlay"


def _second_problems(topology: "Topology", second: SecondUnderlaySpec) -> Iterator[str]:
    if second.nic == topology.nic:
        yield f"second_underlay.nic: {second.nic} is also nic: give it a name of its own"
    for path, taken in (
        ("underlay.cidr", topology.underlay.cidr),
        ("calico.pool", topology.calico.pool),
        ("flannel.network", topology.flannel.network),
        ("service_cidr", topology.service_cidr),
    ):
        if second.cidr.overlaps(taken):
            yield (
                f"second_underlay.cidr: {second.cidr} overlaps {path} {taken}: give each network "
                f"addresses of its own"
            )
    addresses: dict[IPv4Address, int] = {}
    for index, node in enumerate(topology.nodes):
        path, cidr = f"nodes[{index}].second_address", second.cidr
        address = second_address(topology, node)
        if address is None or address not in cidr or address in (cidr[0], cidr[-1]):
            yield (
                f"{path}: {address} is not a host address of second_underlay.cidr {cidr}: choose "
                f"one between {cidr[0] + 1} and {cidr[-1] - 1}"
            )
        elif address in addresses:
            yield (
                f"{path}: {address} is also nodes[{addresses[address]}].second_address: give every "
                f"node its own address"
            )
        else:
            addresses[address] = index
