"""The wire between the nodes: a bridge in the lab's own namespace, a veth pair for each NIC.

The bridge has the gateway's address, so that nodes may have a default route (without one the kernel
does not answer for 169.254.1.1 on Calico's interfaces), but nothing is routed from there.
"""

from ipaddress import IPv4Interface

from podmatrix.lab.dataplane.netlink import Netlink, connect
from podmatrix.lab.dataplane.plan import NetworkPlan, NodePlan
from podmatrix.lab.netns import NetNS

BRIDGE = "underlay"
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


def plug_in(plan: NetworkPlan, node: NodePlan, lab: NetNS, netns: NetNS) -> None:
    """Put the node's NIC, still without address, into its namespace and onto the wire."""
    mtu = plan.topology.underlay.mtu
    with connect(lab) as netlink:
        netlink.add_veth(
            f"nic{node.index}",
            plan.topology.nic,
            netns,
            mtu=mtu,
            peer_mtu=mtu,
            state="up",
            master=netlink.link(BRIDGE),
        )


def configure_nic(plan: NetworkPlan, node: NodePlan, netlink: Netlink) -> int:
    """Address and default route of the NIC; returns its index."""
    underlay = plan.topology.underlay
    nic = netlink.link(plan.topology.nic)
    netlink.add_address(nic, IPv4Interface((node.address, underlay.cidr.prefixlen)))
    netlink.set_link(nic, state="up")
    netlink.add_route(via=underlay.gateway, dev=nic)
    return nic
