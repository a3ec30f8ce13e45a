"""The bridge plugin: a veth pair, its far end a port of a bridge on the node.

Source: containernetworking/plugins v1.9.1 and v0.9.1, plugins/main/bridge and pkg/ipam. The two
differ in what becomes of a route that is there already, which is what the topology's
`bridge_plugin` chooses.
"""

import random
from ipaddress import IPv4Interface

from podmatrix.errors import LabError
from podmatrix.lab.cni import ip_masq, ipam_host_local
from podmatrix.lab.cni.spec import (
    DEFAULT_ROUTE,
    CniArgs,
    Interface,
    NetworkConfig,
    PluginError,
    Result,
    Route,
)
from podmatrix.lab.dataplane.netlink import Attribute, Netlink, connect
from podmatrix.lab.dataplane.node_network import NodeNetwork
from podmatrix.lab.dataplane.plan import random_mac
from podmatrix.lab.netns import sysctl_name

DEFAULT_BRIDGE = "cni0"
IPAM_TYPE = "host-local"


def add(node: NodeNetwork, config: NetworkConfig, args: CniArgs) -> Result:
    """CNI ADD. Raises PluginError or LabError with nothing left behind."""
    _check(config)
    host = f"veth{random.randbytes(4).hex()}"
    ipam = ipam_host_local.add(node.files, config["name"], config["ipam"], args)
    ipam = _with_default_route(ipam, config)
    try:
        with connect(node.netns) as netlink:
            bridge = _ensure_bridge(netlink, config)
            port = _add_veth(netlink, host, bridge, config, args)
            mac = _configure_pod(node, ipam, args)
            if _is_gateway(config):
                _ensure_address(netlink, bridge, ipam, config)
            if config.get("ipMasq"):
                addresses = [ip.address for ip in ipam.ips]
                ip_masq.set_up(node.netns, addresses, config["name"], args.container_id)
            interfaces = (
                Interface(name=_bridge_name(config), mac=netlink.mac(bridge)),
                Interface(name=host, mac=netlink.mac(port)),
                Interface(name=args.ifname, mac=mac, sandbox=True),
            )
    except LabError:
        delete(node, config, args)
        raise
    return Result(interfaces=interfaces, ips=ipam.ips, routes=ipam.routes)


def delete(node: NodeNetwork, config: NetworkConfig, args: CniArgs) -> None:
    """CNI DEL: nothing happens where there is nothing."""
    if args.netns is not None and args.netns.path.exists():
        with connect(args.netns) as netlink:
            netlink.delete_link(args.ifname)
    if config.get("ipMasq"):
        ip_masq.tear_down(node.netns, config["name"], args.container_id)
    ipam_host_local.delete(node.files, config["name"], config.get("ipam") or {}, args)


def _check(config: NetworkConfig) -> None:
    """What the lab's bridge plugin does not do it must not pretend to do."""
    ipam = config.get("ipam") or {}
    if ipam.get("type") != IPAM_TYPE:
        raise PluginError(f'failed to find plugin "{ipam.get("type", "")}" in path [/opt/cni/bin]')
    for key in ("vlan", "vlanTrunk", "macspoofchk", "portIsolation", "promiscMode"):
        if config.get(key):
            raise PluginError(f"{key}: the lab's bridge plugin does not support it")


def _bridge_name(config: NetworkConfig) -> str:
    return str(config.get("bridge") or DEFAULT_BRIDGE)


def _is_gateway(config: NetworkConfig) -> bool:
    return bool(config.get("isGateway") or config.get("isDefaultGateway"))


def _with_default_route(ipam: Result, config: NetworkConfig) -> Result:
    """`isDefaultGateway` adds a default route to the IPAM's, unless it has one with a gateway."""
    has_one = any(route.dst == DEFAULT_ROUTE and route.gw for route in ipam.routes)
    if not config.get("isDefaultGateway") or has_one:
        return ipam
    default = Route(dst=DEFAULT_ROUTE, gw=ipam.ips[0].gateway)
    return Result(ips=ipam.ips, routes=(*ipam.routes, default))


def _ensure_bridge(netlink: Netlink, config: NetworkConfig) -> int:
    name = _bridge_name(config)
    bridge = netlink.find_link(name)
    if bridge is None:
        attributes: dict[str, Attribute] = {}
        if config.get("mtu"):
            attributes["mtu"] = int(config["mtu"])
        if _is_gateway(config):
            # A given address stays; else it becomes the lowest of the ports', which come and go.
            attributes["address"] = random_mac()
        bridge = netlink.add_link(name, "bridge", exist_ok=True, **attributes)
        netlink.set_link(bridge, state="up")
    return bridge


def _add_veth(
    netlink: Netlink, host: str, bridge: int, config: NetworkConfig, args: CniArgs
) -> int:
    attributes: dict[str, Attribute] = {"txqlen": 0, "peer_txqlen": 0}
    if config.get("mtu"):
        attributes |= {"mtu": int(config["mtu"]), "peer_mtu": int(config["mtu"])}
    mac = args.mac or (config.get("args") or {}).get("cni", {}).get("mac")
    if mac:
        attributes["peer_address"] = mac
    port = netlink.add_veth(host, args.ifname, args.sandbox, state="up", **attributes)
    netlink.set_link(port, master=bridge)
    if config.get("hairpinMode"):
        netlink.set_hairpin(port)
    return port


def _configure_pod(node: NodeNetwork, ipam: Result, args: CniArgs) -> str:
    """Addresses, then up, then routes; returns the MAC address."""
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


def _ensure_address(netlink: Netlink, bridge: int, ipam: Result, config: NetworkConfig) -> None:
    for ip in ipam.ips:
        if ip.gateway is None:
            continue
        wanted = IPv4Interface((ip.gateway, ip.address.network.prefixlen))
        present = netlink.addresses(bridge)
        if wanted in present:
            continue
        if present:
            name = _bridge_name(config)
            raise PluginError(
                f'failed to set bridge addr: "{name}" already has an IP address different '
                f"from {wanted}"
            )
        netlink.add_address(bridge, wanted, broadcast=True, exist_ok=True)
