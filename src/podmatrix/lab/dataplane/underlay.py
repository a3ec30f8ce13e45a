"""The wire between the nodes: a bridge in the lab's own namespace, a veth pair for each NIC.

The bridge has the gateway's address, so that nodes may have a default route (without one the kernel
does not answer for 169.254.1.1 on Calico's interfaces), but nothing is routed from there.
"""

from collections.abc import Iterator
from ipaddress import IPv4Interface

from podmatrix.lab.dataplane.netlink import Netlink, connect
from podmatrix.lab.dataplane.plan import NetworkPlan, NodePlan
from podmatrix.lab.netns import NetNS

BRIDGE = "underlay"
SECOND_BRIDGE = "underlay2"
_BRIDGE_NETFILTER = "net.bridge.bridge-nf-call-iptables"


def set_up_underlay(plan: NetworkPlan, lab: NetNS) -> None:
    """The bridge with the gateway's address, in the lab's own namespace. Raises LabError."""
    underlay = plan.topology.underlay
    sysctls = {"net.ipv4.ip_forward": "0"}
    if lab.get_sysctl(_BRIDGE_NETFILTER) is not None:
        sysctls[_BRIDGE_NETFILTER] = "0"  # a wire does not look into packets
    lab.set_sysctls(sysctls)
    with connect(lab) as netlink:
        netlink.set_link(netlink.link("lo"), state="up")
        bridge = netlink.add_link(BRIDGE, "bridge", mtu=underlay.mtu, br_mcast_snooping=0)
        gateway = IPv4Interface((underlay.gateway, underlay.cidr.prefixlen))
        netlink.add_address(bridge, gateway)
        netlink.set_link(bridge, state="up")
        if second := plan.topology.second_underlay:
            bridge = netlink.add_link(SECOND_BRIDGE, "bridge", mtu=second.mtu, br_mcast_snooping=0)
            netlink.set_link(bridge, state="up")


def plug_in(plan: NetworkPlan, node: NodePlan, lab: NetNS, netns: NetNS) -> None:
    """Put the node's NICs, still without address, into its namespace and onto their wires."""
    second = plan.topology.second_underlay
    wires = [(f"nic{node.index}", plan.topology.nic, plan.topology.underlay.mtu, BRIDGE)]
    if second is not None:
        wires.append((f"nic{node.index}-2", second.nic, second.mtu, SECOND_BRIDGE))
    with connect(lab) as netlink:
        for name, nic, mtu, bridge in wires:
            netlink.add_veth(
                name,
                nic,
                netns,
                mtu=mtu,
                peer_mtu=mtu,
                state="up",
                master=netlink.link(bridge),
            )


def nic_addresses(plan: NetworkPlan, node: NodePlan) -> Iterator[tuple[str, IPv4Interface]]:
    """The node's NICs and their addresses."""
    topology = plan.topology
    yield topology.nic, IPv4Interface((node.address, topology.underlay.cidr.prefixlen))
    if topology.second_underlay is not None and node.second_address is not None:
        second = topology.second_underlay
        yield second.nic, IPv4Interface((node.second_address, second.cidr.prefixlen))


def configure_nics(plan: NetworkPlan, node: NodePlan, netlink: Netlink) -> None:
    """Addresses of the NICs, and the default route by way of the first."""
    for nic, address in nic_addresses(plan, node):
        index = netlink.link(nic)
        netlink.add_address(index, address)
        netlink.set_link(index, state="up")
    netlink.add_route(via=plan.topology.underlay.gateway, dev=netlink.link(plan.topology.nic))
