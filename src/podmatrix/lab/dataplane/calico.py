"""Calico's dataplane on a node: tunnel device and block routes.

Source: felix v3.32 and a real node. BGP is not here: as from v3.32 on, felix programs the routes.
"""

import json
from collections.abc import Iterator, Mapping
from ipaddress import IPv4Interface

from podmatrix.lab.dataplane.felix_rules import TUNNEL_DEVICES
from podmatrix.lab.dataplane.netlink import PROTO_FELIX, Netlink
from podmatrix.lab.dataplane.plan import NetworkPlan, NodePlan
from podmatrix.lab.dataplane.underlay import nic_addresses

IPIP_FALLBACK = "tunl-fallback"
VXLAN_VNI = 4096
VXLAN_PORT = 4789


class Calico:
    """Calico-node: everything here is done at its start."""

    def __init__(self, plan: NetworkPlan, node: NodePlan) -> None:
        self._plan = plan
        self._node = node

    def set_up(self, netlink: Netlink) -> None:
        """Blackhole of the own block, tunnel device, its way to the other nodes."""
        netlink.add_blackhole(self._node.block, proto=PROTO_FELIX)
        if self._node.tunnel_address is None:
            return
        tunnel = self._tunnel(netlink)
        netlink.add_address(tunnel, IPv4Interface((self._node.tunnel_address, 32)))
        netlink.set_link(tunnel, state="up")
        if self._plan.encapsulation == "vxlan":
            for peer in self._plan.peers(self._node):
                netlink.add_fdb(tunnel, peer.calico_mac, peer.calico_endpoint)

    def peer_commands(self) -> Iterator[str]:
        """Neighbours and routes towards the other nodes, for `ip -batch`."""
        encapsulation, topology = self._plan.encapsulation, self._plan.topology
        tunnel, nic = TUNNEL_DEVICES.get(encapsulation), topology.calico_nic
        for peer in self._plan.peers(self._node):
            gateway, device = peer.calico_endpoint, tunnel or nic
            if encapsulation == "vxlan" and peer.tunnel_address is not None:
                gateway = peer.tunnel_address
                yield f"neigh add {gateway} lladdr {peer.calico_mac} dev {tunnel} nud permanent"
            if topology.calico.cross_subnet:
                gateway, device = peer.calico_endpoint, nic
            yield f"route add {peer.block} via {gateway} dev {device} onlink proto {PROTO_FELIX}"

    def _tunnel(self, netlink: Netlink) -> int:
        name, mtu = TUNNEL_DEVICES[self._plan.encapsulation], self._plan.calico_mtu
        local = str(self._node.calico_endpoint)
        if self._plan.encapsulation == "ipip":
            # The module's own tunl0 is in every new namespace before the NIC. The kernel takes
            # source addresses for devices without one from the first device that has some: on a
            # real node that is the NIC. So that tunl0 makes way for one that comes later.
            netlink.set_link(netlink.link(name), ifname=IPIP_FALLBACK)
            return netlink.add_link(name, "ipip", mtu=mtu, ipip_local=local, ipip_pmtudisc=0)
        return netlink.add_link(
            name,
            "vxlan",
            address=self._node.calico_mac,
            mtu=mtu,
            vxlan_id=VXLAN_VNI,
            vxlan_local=local,
            vxlan_link=netlink.link(self._plan.topology.calico_nic),
            vxlan_port=VXLAN_PORT,
            vxlan_learning=0,
        )

    @property
    def annotations(self) -> Mapping[str, str]:
        """What calico-node writes onto the Node object."""
        prefix = "projectcalico.org"
        addresses = {nic: str(address.ip) for nic, address in nic_addresses(self._plan, self._node)}
        nics = [{"name": nic, "addresses": [address]} for nic, address in addresses.items()]
        bound = dict(nic_addresses(self._plan, self._node))[self._plan.topology.calico_nic]
        annotations = {
            f"{prefix}/IPv4Address": str(bound),
            f"{prefix}/Interfaces": json.dumps(nics, separators=(",", ":")),
        }
        if self._node.tunnel_address is not None:
            kind = {"ipip": "IPIP", "vxlan": "VXLAN"}[self._plan.encapsulation]
            annotations[f"{prefix}/IPv4{kind}TunnelAddr"] = str(self._node.tunnel_address)
        return annotations
