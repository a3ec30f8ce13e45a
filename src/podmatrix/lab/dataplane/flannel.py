"""Flannel's vxlan backend on a node: flannel.1, the way to the other nodes' subnets, its rules.

Source: flannel v0.28 pkg/backend/vxlan, pkg/trafficmngr/iptables, and a real node.
"""

import json
from collections.abc import Iterator, Mapping
from ipaddress import IPv4Interface

from podmatrix.lab.dataplane.netlink import Netlink
from podmatrix.lab.dataplane.plan import NetworkPlan, NodePlan

FORWARD = "FLANNEL-FWD"
POSTROUTING = "FLANNEL-POSTRTG"
SUBNET_FILE = "run/flannel/subnet.env"


class Flannel:
    """Flanneld of one node: everything it does is done at its start."""

    def __init__(self, plan: NetworkPlan, node: NodePlan) -> None:
        self._plan = plan
        self._node = node
        self._spec = plan.topology.flannel

    @property
    def device(self) -> str:
        """The VXLAN device, `flannel.1` for VNI 1."""
        return f"flannel.{self._spec.vni}"

    def set_up(self, netlink: Netlink) -> None:
        """Device, address, and what frames to the other nodes' devices travel in."""
        index = netlink.add_link(
            self.device,
            "vxlan",
            address=self._node.flannel_mac,
            mtu=self._plan.topology.flannel_mtu,
            txqlen=0,
            vxlan_id=self._spec.vni,
            vxlan_local=str(self._node.flannel_endpoint),
            vxlan_link=netlink.link(self._plan.topology.flannel_nic),
            vxlan_port=self._spec.port,
            vxlan_learning=0,
        )
        netlink.add_address(index, IPv4Interface((self._node.flannel_address, 32)))
        netlink.set_link(index, state="up")
        for peer in self._plan.peers(self._node):
            netlink.add_fdb(index, peer.flannel_mac, peer.flannel_endpoint)

    def peer_commands(self) -> Iterator[str]:
        """Neighbours and routes towards the other nodes, for `ip -batch`."""
        for peer in self._plan.peers(self._node):
            gateway, device = peer.flannel_address, self.device
            yield f"neigh add {gateway} lladdr {peer.flannel_mac} dev {device} nud permanent"
            yield f"route add {peer.pod_cidr} via {gateway} dev {device} onlink"

    def jumps(self, table: str) -> list[str]:
        """From iptables' own chains into Flannel's."""
        if table == "filter":
            return [f'-A FORWARD -m comment --comment "flanneld forward" -j {FORWARD}']
        if table == "nat" and self._spec.ip_masq:
            return [f'-A POSTROUTING -m comment --comment "flanneld masq" -j {POSTROUTING}']
        return []

    def rules(self, table: str) -> list[str]:
        """Flannel's own chains, for iptables-restore."""
        network, subnet = self._spec.network, self._node.pod_cidr
        if table == "filter":
            says = '-m comment --comment "flanneld forward" -j ACCEPT'
            return [f":{FORWARD} - [0:0]"] + [
                f"-A {FORWARD} {option} {network} {says}" for option in ("-s", "-d")
            ]
        if table == "nat" and self._spec.ip_masq:
            says = '-m comment --comment "flanneld masq" -j'
            masquerade = f"{says} MASQUERADE --random-fully"
            return [f":{POSTROUTING} - [0:0]"] + [
                f"-A {POSTROUTING} {rule}"
                for rule in (
                    f"-m mark --mark 0x4000/0x4000 {says} RETURN",
                    f"-s {subnet} -d {network} {says} RETURN",
                    f"-s {network} -d {subnet} {says} RETURN",
                    f"! -s {network} -d {subnet} {says} RETURN",
                    f"-s {network} ! -d 224.0.0.0/4 {masquerade}",
                    f"! -s {network} -d {network} {masquerade}",
                )
            ]
        return []

    @property
    def subnet_env(self) -> str:
        """The text of /run/flannel/subnet.env."""
        first = IPv4Interface(
            (self._node.pod_cidr.network_address + 1, self._node.pod_cidr.prefixlen)
        )
        return (
            f"FLANNEL_NETWORK={self._spec.network}\n"
            f"FLANNEL_SUBNET={first}\n"
            f"FLANNEL_MTU={self._plan.topology.flannel_mtu}\n"
            f"FLANNEL_IPMASQ={str(self._spec.ip_masq).lower()}\n"
        )

    @property
    def annotations(self) -> Mapping[str, str]:
        """What flanneld writes onto the Node object."""
        backend = {"VNI": self._spec.vni, "VtepMAC": self._node.flannel_mac}
        prefix = "flannel.alpha.coreos.com"
        return {
            f"{prefix}/backend-data": json.dumps(backend, separators=(",", ":")),
            f"{prefix}/backend-type": "vxlan",
            f"{prefix}/kube-subnet-manager": "true",
            f"{prefix}/public-ip": str(self._node.flannel_endpoint),
        }
