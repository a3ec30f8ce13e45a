"""The macvlan plugin: a second MAC address on a NIC of the node, in the pod.

Source: containernetworking/plugins v1.9.1, plugins/main/macvlan, and a real pod. Frames go out of
the NIC as they are: onto the underlay, past the node's bridges, routes and rules.
"""

import random
from typing import get_args

from podmatrix.errors import LabError
from podmatrix.lab.cni import ipam
from podmatrix.lab.cni.interface import configure_interface
from podmatrix.lab.cni.spec import CniArgs, Interface, NetworkConfig, PluginError, Result
from podmatrix.lab.dataplane.netlink import MacvlanMode, Netlink, connect
from podmatrix.lab.dataplane.node_network import NodeNetwork


def add(node: NodeNetwork, config: NetworkConfig, args: CniArgs) -> Result:
    """CNI ADD. Raises PluginError or LabError with nothing left behind."""
    mode = _mode(config)
    with connect(node.netns) as netlink:
        master = _master(netlink, config)
        mtu = _mtu(netlink, master, config)
        name = f"veth{random.randbytes(4).hex()}"  # what is free on the node may not be in the pod
        try:
            mac = args.mac or config.get("mac") or ""
            netlink.add_macvlan(name, master, args.sandbox, mode=mode, mtu=mtu, mac=mac)
        except LabError as exc:
            raise PluginError(f"failed to create macvlan: {exc}") from exc
    try:
        with connect(args.sandbox) as netlink:
            netlink.set_link(netlink.link(name), ifname=args.ifname)
        result = ipam.add(node.files, config, args) if ipam.is_layer3(config) else Result()
        mac = configure_interface(node, result, args)
    except LabError:
        delete(node, config, args)
        raise
    interface = Interface(name=args.ifname, mac=mac, sandbox=True)
    return Result(interfaces=(interface,), ips=result.ips, routes=result.routes)


def delete(node: NodeNetwork, config: NetworkConfig, args: CniArgs) -> None:
    """CNI DEL: nothing happens where there is nothing."""
    ipam.delete(node.files, config, args)
    if args.netns is not None and args.netns.path.exists():
        with connect(args.netns) as netlink:
            netlink.delete_link(args.ifname)


def _mode(config: NetworkConfig) -> MacvlanMode:
    wanted = config.get("mode") or "bridge"
    modes: tuple[MacvlanMode, ...] = get_args(MacvlanMode)
    for mode in modes:
        if mode == wanted:
            return mode
    raise PluginError(f'unknown macvlan mode: "{wanted}"')


def _master(netlink: Netlink, config: NetworkConfig) -> int:
    """The NIC of that name; without a name, that of the default route."""
    if name := config.get("master"):
        master = netlink.find_link(name)
        if master is None:
            raise PluginError("Link not found")
        return master
    master = netlink.default_route_link()
    if master is None:
        raise PluginError("no default route interface found")
    return master


def _mtu(netlink: Netlink, master: int, config: NetworkConfig) -> int:
    highest, wanted = netlink.mtu(master), int(config.get("mtu") or 0)
    if not 0 <= wanted <= highest:
        raise PluginError(f"invalid MTU {wanted}, must be [0, master MTU({highest})]")
    return wanted or highest
