"""Calico's dataplane on a node: tunnel device and block routes.

Source: felix v3.32 and a real node. BGP is not here: as from v3.32 on, felix programs the routes.
"""

import json
from collections.abc import Mapping
from ipaddress import IPv4Interface

from podmatrix.lab.dataplane.felix_rules import TUNNEL_DEVICES
from podmatrix.lab.dataplane.netlink import PROTO_FELIX, Netlink
from podmatrix.lab.dataplane.plan import NetworkPlan, NodePlan

VXLAN_VNI = 4096
VXLAN_PORT = 4789


class Calico:
    """Calico-node: everything here is done at its start."""

    def __init__(self, plan: NetworkPlan, node: NodePlan) -> None:
        self._plan = plan
        self._node = node

    def set_up(self, netlink: Netlink, nic: int) -> None:
        """Tunnel device, blackhole of the own block, routes to the others'."""
        tunnel = self._tunnel(netlink, nic)
        netlink.add_blackhole(self._node.block, proto=PROTO_FELIX)
        for peer in self._plan.peers(self._node):
            if self._plan.encapsulation == "vxlan":
                assert peer.tunnel_address is not None
                netlink.add_neighbour(tunnel, peer.tunnel_address, peer.calico_mac)
                netlink.add_fdb(tunnel, peer.calico_mac, peer.address)
                gateway = peer.tunnel_address
            else:
                gateway = peer.address
            netlink.add_route(peer.block, via=gateway, dev=tunnel, proto=PROTO_FELIX, onlink=True)

    def _tunnel(self, netlink: Netlink, nic: int) -> int:
        """The device that packets to other nodes leave by: the NIC itself without a tunnel."""
        if self._node.tunnel_address is None:
            return nic
        name = TUNNEL_DEVICES[self._plan.encapsulation]
        if self._plan.encapsulation == "ipip":  # the module's own, there in every namespace
            index = netlink.link(name)
            netlink.set_link(index, mtu=self._plan.calico_mtu)
        else:
            index = netlink.add_link(
                name,
                "vxlan",
                address=self._node.calico_mac,
                mtu=self._plan.calico_mtu,
                vxlan_id=VXLAN_VNI,
                vxlan_local=str(self._node.address),
                vxlan_link=nic,
                vxlan_port=VXLAN_PORT,
                vxlan_learning=0,
            )
        netlink.add_address(index, IPv4Interface((self._node.tunnel_address, 32)))
        netlink.set_link(index, state="up")
        return index

    @property
    def annotations(self) -> Mapping[str, str]:
        """What calico-node writes onto the Node object."""
        prefix = "projectcalico.org"
        nic = [{"name": self._plan.topology.nic, "addresses": [str(self._node.address)]}]
        prefix_length = self._plan.topology.underlay.cidr.prefixlen
        annotations = {
            f"{prefix}/IPv4Address": f"{self._node.address}/{prefix_length}",
            f"{prefix}/Interfaces": json.dumps(nic, separators=(",", ":")),
        }
        if self._node.tunnel_address is not None:
            kind = {"ipip": "IPIP", "vxlan": "VXLAN"}[self._plan.encapsulation]
            annotations[f"{prefix}/IPv4{kind}TunnelAddr"] = str(self._node.tunnel_address)
        return annotations
