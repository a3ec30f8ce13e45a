"""The bridge plugin: a veth pair, its far end a port of a bridge on the node.

Source: containernetworking/plugins v1.9.1 and v0.9.1, plugins/main/bridge.
"""

import random
from ipaddress import IPv4Interface

from podmatrix.errors import LabError
from podmatrix.lab.cni import ip_masq
from podmatrix.lab.cni import ipam as ipam_plugins
from podmatrix.lab.cni.interface import configure_interface
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

DEFAULT_BRIDGE = "cni0"


def add(node: NodeNetwork, config: NetworkConfig, args: CniArgs) -> Result:
    """CNI ADD. Raises PluginError or LabError with nothing left behind."""
    _check(config)
    host = f"veth{random.randbytes(4).hex()}"
    ipam = Result()
    if ipam_plugins.is_layer3(config):
        ipam = _with_default_route(ipam_plugins.add(node.files, config, args), config)
    try:
        with connect(node.netns) as netlink:
            bridge = _ensure_bridge(netlink, config)
            port = _add_veth(netlink, host, bridge, config, args)
            mac = configure_interface(node, ipam, args)
            if _is_gateway(config):
                _ensure_address(netlink, bridge, ipam, config)
            if config.get("ipMasq") and ipam.ips:
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
    ipam_plugins.delete(node.files, config, args)


def _check(config: NetworkConfig) -> None:
    """What the lab's bridge plugin does not do it must not pretend to do."""
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
