"""The ptp plugin: a veth pair without a bridge; the node's end has the gateway's address.

Source: containernetworking/plugins v1.9.1, plugins/main/ptp, and a real pod.
"""

import random
from ipaddress import IPv4Interface, IPv4Network

from podmatrix.errors import LabError
from podmatrix.lab.cni import ip_masq, ipam
from podmatrix.lab.cni.interface import configure_interface
from podmatrix.lab.cni.spec import CniArgs, Interface, NetworkConfig, Result
from podmatrix.lab.dataplane.netlink import SCOPE_LINK, Attribute, connect
from podmatrix.lab.dataplane.node_network import NodeNetwork


def add(node: NodeNetwork, config: NetworkConfig, args: CniArgs) -> Result:
    """CNI ADD. Raises PluginError or LabError with nothing left behind."""
    result = ipam.add(node.files, config, args)
    host = f"veth{random.randbytes(4).hex()}"
    attributes: dict[str, Attribute] = {"txqlen": 0, "peer_txqlen": 0}
    if config.get("mtu"):
        attributes |= {"mtu": int(config["mtu"]), "peer_mtu": int(config["mtu"])}
    try:
        with connect(node.netns) as netlink:
            own = netlink.add_veth(host, args.ifname, args.sandbox, state="up", **attributes)
            own_mac = netlink.mac(own)
        mac = configure_interface(node, result, args)
        _by_gateway(result, args)
        with connect(node.netns) as netlink:
            for ip in result.ips:
                netlink.add_address(own, IPv4Interface((ip.gateway, 32)))
                destination = IPv4Network((ip.address.ip, 32))
                netlink.add_route(destination, dev=own, scope=SCOPE_LINK)
        if config.get("ipMasq"):
            addresses = [ip.address for ip in result.ips]
            ip_masq.set_up(node.netns, addresses, config["name"], args.container_id)
    except LabError:
        delete(node, config, args)
        raise
    interfaces = (
        Interface(name=host, mac=own_mac),
        Interface(name=args.ifname, mac=mac, sandbox=True),
    )
    return Result(interfaces=interfaces, ips=result.ips, routes=result.routes)


def delete(node: NodeNetwork, config: NetworkConfig, args: CniArgs) -> None:
    """CNI DEL: nothing happens where there is nothing."""
    ipam.delete(node.files, config, args)
    if args.netns is not None and args.netns.path.exists():
        with connect(args.netns) as netlink:
            netlink.delete_link(args.ifname)
    if config.get("ipMasq"):
        ip_masq.tear_down(node.netns, config["name"], args.container_id)


def _by_gateway(result: Result, args: CniArgs) -> None:
    """Everything of the subnet goes by way of the gateway, which alone is on the link."""
    with connect(args.sandbox) as netlink:
        link = netlink.link(args.ifname)
        for ip in result.ips:
            source, gateway = ip.address.ip, IPv4Network((ip.gateway, 32))
            netlink.delete_route(ip.address.network, dev=link)
            netlink.add_route(gateway, dev=link, scope=SCOPE_LINK, source=source)
            netlink.add_route(ip.address.network, via=ip.gateway, dev=link, source=source)
