"""Calico's dataplane on a node: tunnel device, block routes, and felix's care for workloads.

Source: felix v3.32 and a real node. BGP is not here: as from v3.32 on, felix programs the routes.
"""

import json
import threading
from collections.abc import Mapping
from ipaddress import IPv4Interface

from podmatrix.lab.dataplane.felix_chain import render_chains
from podmatrix.lab.dataplane.felix_rules import TUNNEL_DEVICES
from podmatrix.lab.dataplane.felix_workloads import (
    Workload,
    dispatch_chains,
    profile_chains,
    workload_chains,
)
from podmatrix.lab.dataplane.netlink import PROTO_FELIX, Netlink
from podmatrix.lab.dataplane.plan import NetworkPlan, NodePlan
from podmatrix.lab.netns import NetNS

VXLAN_VNI = 4096
VXLAN_PORT = 4789


class Calico:
    """Felix of one node. Workloads may come and go from several threads."""

    def __init__(self, plan: NetworkPlan, node: NodePlan, netns: NetNS) -> None:
        self._plan = plan
        self._node = node
        self._netns = netns
        self._workloads: dict[str, Workload] = {}
        self._lock = threading.Lock()

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
            netlink.add_route(
                peer.block, via=gateway, dev=tunnel, proto=PROTO_FELIX, onlink=tunnel != nic
            )

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

    def add_workload(self, workload: Workload) -> None:
        """The rules for a new interface. Raises LabError."""
        with self._lock:
            workloads = {**self._workloads, workload.interface: workload}
            chains = {
                **profile_chains(workload),
                **workload_chains(workload),
                **dispatch_chains(workloads),
            }
            self._restore(render_chains(chains))
            self._workloads = workloads

    def remove_workload(self, interface: str) -> None:
        """Its rules go; nothing happens where there are none. Raises LabError."""
        with self._lock:
            gone = self._workloads.get(interface)
            if gone is None:
                return
            rest = {name: load for name, load in self._workloads.items() if name != interface}
            used = {chain for load in rest.values() for chain in profile_chains(load)}
            obsolete = [
                *workload_chains(gone),
                *(chain for chain in profile_chains(gone) if chain not in used),
            ]
            self._restore(
                [
                    *render_chains(dispatch_chains(rest)),
                    *(f":{chain} - [0:0]" for chain in obsolete),
                    *(f"-X {chain}" for chain in obsolete),
                ]
            )
            self._workloads = rest

    def _restore(self, lines: list[str]) -> None:
        text = "\n".join(("*filter", *lines, "COMMIT", ""))
        self._netns.run(["iptables-restore", "--noflush", "--wait", "10"], stdin=text)

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
