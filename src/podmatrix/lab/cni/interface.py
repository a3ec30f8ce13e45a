"""What the plugins that use IPAM do with its answer in the pod.

Source: containernetworking/plugins v1.9.1 and v0.9.1, pkg/ipam/ipam_linux.go. The two differ in
what becomes of a route that is there already, which is what the topology's `bridge_plugin` chooses.
"""

from podmatrix.lab.cni.spec import CniArgs, Result
from podmatrix.lab.dataplane.netlink import connect
from podmatrix.lab.dataplane.node_network import NodeNetwork
from podmatrix.lab.netns import sysctl_name


def configure_interface(node: NodeNetwork, ipam: Result, args: CniArgs) -> str:
    """Addresses, then up, then routes; returns the MAC address. Raises LabError."""
    args.sandbox.set_sysctls(
        {
            f"net.ipv6.conf.{sysctl_name(args.ifname)}.accept_dad": "0",
            f"net.ipv4.conf.{sysctl_name(args.ifname)}.arp_notify": "1",
        },
        missing_ok=True,
    )
    with connect(args.sandbox) as netlink:
        link = netlink.link(args.ifname)
        for ip in ipam.ips:
            netlink.add_address(link, ip.address, broadcast=True)
        netlink.set_link(link, state="up")
        for route in ipam.routes:
            # Up to 0.9 a duplicate was skipped ("first one wins"); from 1.0 on NLM_F_EXCL is
            # missing, and the kernel puts the new one in front.
            first_wins = node.plan.topology.bridge_plugin == "0.9"
            netlink.add_route(
                route.dst,
                via=route.gw or ipam.ips[0].gateway,
                dev=link,
                prepend=not first_wins,
                exist_ok=first_wins,
            )
        return netlink.mac(link)
