"""The calico plugin: a veth pair without a bridge, proxy ARP for a gateway that does not exist.

Source: calico/cni-plugin/pkg/dataplane/linux/dataplane_linux.go (v3.32) and a real node. Felix'
part, the rules, is done in the same breath: a real pod's packets wait for it, too.
"""

import hashlib
from ipaddress import IPv4Address, IPv4Interface, IPv4Network

from podmatrix.errors import LabError
from podmatrix.lab.cni.ipam_calico import Exhausted
from podmatrix.lab.cni.spec import (
    CniArgs,
    Interface,
    IPConfig,
    NetworkConfig,
    PluginError,
    Result,
)
from podmatrix.lab.dataplane.felix_workloads import Workload
from podmatrix.lab.dataplane.netlink import SCOPE_LINK, Netlink, connect
from podmatrix.lab.dataplane.node_network import NodeNetwork

GATEWAY = IPv4Address("169.254.1.1")
HOST_MAC = "ee:ee:ee:ee:ee:ee"
ROUTE_METRIC = 1024
_ANNOTATION = "cni.projectcalico.org"


def interface_name(namespace: str, pod: str) -> str:
    """The node's end (libcalico-go/.../workload_endpoint_default.go)."""
    return f"cali{hashlib.sha1(f'{namespace}.{pod}'.encode()).hexdigest()[:11]}"


def add(node: NodeNetwork, config: NetworkConfig, args: CniArgs) -> Result:
    """CNI ADD. Raises PluginError or LabError with nothing left behind."""
    name = interface_name(args.pod_namespace, args.pod_name)
    try:
        address = node.block.assign(_handle(config, args))
    except Exhausted as exc:
        raise PluginError(str(exc)) from exc
    try:
        with connect(node.netns) as netlink:
            netlink.delete_link(name)  # of an earlier pod of that name
            mtu = int(config.get("mtu") or node.plan.calico_mtu)
            link = _add_veth(netlink, name, mtu, args)
            mac = _configure_pod(args, address)
            _configure_host(node, netlink, name, link, address)
        node.felix.add_workload(Workload(interface=name, namespace=args.pod_namespace))
    except LabError:
        delete(node, config, args)
        raise
    cidr = f"{address}/32"
    return Result(
        interfaces=(
            Interface(name=name, mac=HOST_MAC),
            Interface(name=args.ifname, mac=mac, sandbox=True),
        ),
        ips=(IPConfig(address=IPv4Interface(cidr)),),
        annotations={
            f"{_ANNOTATION}/containerID": args.container_id,
            f"{_ANNOTATION}/podIP": cidr,
            f"{_ANNOTATION}/podIPs": cidr,
        },
    )


def delete(node: NodeNetwork, config: NetworkConfig, args: CniArgs) -> None:
    """CNI DEL: nothing happens where there is nothing."""
    name = interface_name(args.pod_namespace, args.pod_name)
    with connect(node.netns) as netlink:
        netlink.delete_link(name)
    node.felix.remove_workload(name)
    node.block.release(_handle(config, args))


def _handle(config: NetworkConfig, args: CniArgs) -> str:
    return f"{config.get('name', '')}.{args.container_id}"


def _add_veth(netlink: Netlink, name: str, mtu: int, args: CniArgs) -> int:
    return netlink.add_veth(
        name,
        args.ifname,
        args.sandbox,
        mtu=mtu,
        address=HOST_MAC,
        txqlen=0,
        num_tx_queues=1,
        num_rx_queues=1,
        peer_mtu=mtu,
        peer_num_tx_queues=1,
        peer_num_rx_queues=1,
    )


def _configure_pod(args: CniArgs, address: IPv4Address) -> str:
    """Address and routes; returns the MAC address."""
    with connect(args.sandbox) as netlink:
        link = netlink.link(args.ifname)
        netlink.set_link(link, state="up")
        netlink.add_route(IPv4Network((GATEWAY, 32)), dev=link, scope=SCOPE_LINK)
        netlink.add_address(link, IPv4Interface((address, 32)))
        netlink.add_route(via=GATEWAY, dev=link)
        return netlink.mac(link)


def _configure_host(
    node: NodeNetwork, netlink: Netlink, name: str, link: int, address: IPv4Address
) -> None:
    node.netns.set_sysctls(
        {
            f"net.ipv4.conf.{name}.route_localnet": "1",
            f"net.ipv4.neigh.{name}.proxy_delay": "0",
            f"net.ipv4.conf.{name}.proxy_arp": "1",
            f"net.ipv4.conf.{name}.forwarding": "1",
            f"net.ipv4.conf.{name}.rp_filter": "1",
        }
    )
    netlink.set_link(link, state="up")
    netlink.add_route(IPv4Network((address, 32)), dev=link, scope=SCOPE_LINK, metric=ROUTE_METRIC)
