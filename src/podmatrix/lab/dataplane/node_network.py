"""One node's network: its NIC, Calico's and Flannel's dataplanes, and what CNI plugins need."""

from collections.abc import Mapping
from pathlib import Path

from podmatrix.lab.cni.config_files import config_files
from podmatrix.lab.cni.ipam_calico import Block
from podmatrix.lab.dataplane.calico import Calico
from podmatrix.lab.dataplane.felix import Felix
from podmatrix.lab.dataplane.felix_rules import FelixRules
from podmatrix.lab.dataplane.flannel import SUBNET_FILE, Flannel
from podmatrix.lab.dataplane.ipset import create_ipsets
from podmatrix.lab.dataplane.netlink import connect
from podmatrix.lab.dataplane.plan import NetworkPlan
from podmatrix.lab.dataplane.ruleset import node_ruleset
from podmatrix.lab.dataplane.sysctls import prepare_node
from podmatrix.lab.dataplane.underlay import configure_nics, plug_in
from podmatrix.lab.netns import NetNS


class NodeNetwork:
    """Made for a node before its pods.

    `files` is the node's `/` as a path for the lab's processes, `lab` the namespace that the
    underlay is in. Methods block, and use netlink: from asyncio call them by way of a thread.
    """

    def __init__(
        self, plan: NetworkPlan, name: str, *, netns: NetNS, files: Path, lab: NetNS
    ) -> None:
        self.plan = plan
        self.node = plan.node(name)
        self.name = name
        self.netns = netns
        self.files = files
        self.calico = Calico(plan, self.node)
        self.felix = Felix(netns)
        self.flannel = Flannel(plan, self.node)
        self.block = Block(self.node.block)
        self._lab = lab

    def set_up(self) -> None:
        """Devices, routes, rules, sysctls and files. Raises LabError."""
        prepare_node(self.netns)
        plug_in(self.plan, self.node, self._lab, self.netns)
        with connect(self.netns) as netlink:
            netlink.set_link(netlink.link("lo"), state="up")
            configure_nics(self.plan, self.node, netlink)
            self.calico.set_up(netlink)
            self.flannel.set_up(netlink)
        # One process for all: among 16 nodes a third of the time that netlink calls take.
        peers = [*self.calico.peer_commands(), *self.flannel.peer_commands(), ""]
        self.netns.run(["ip", "-batch", "-"], stdin="\n".join(peers))
        if self.node.tunnel_address is not None:
            self.block.assign(f"{self.plan.encapsulation}-tunnel-addr-{self.name}")
        rules = FelixRules(self.plan, self.node)
        if self.plan.kernel.ipsets:
            create_ipsets(self.netns, rules.ipsets())
        ruleset = node_ruleset(rules, self.flannel)
        self.netns.run(["iptables-restore", "--noflush", "--wait", "10"], stdin=ruleset)
        self._write_files()

    def _write_files(self) -> None:
        texts = {
            **config_files(self.plan, self.node),
            SUBNET_FILE: self.flannel.subnet_env,
            "var/lib/calico/mtu": str(self.plan.calico_mtu),
            "var/lib/calico/nodename": self.name,
        }
        for path, text in texts.items():
            file = self.files / path
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(text)

    @property
    def annotations(self) -> Mapping[str, str]:
        """What flannel and Calico write onto the Node object."""
        return {**self.flannel.annotations, **self.calico.annotations}

    @property
    def pod_cidr(self) -> str:
        """The node's spec.podCIDR."""
        return str(self.node.pod_cidr)
