"""A lab's network without sandbox, API and containers: nodes and pods as namespaces alone."""

import uuid
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from podmatrix.lab import netns
from podmatrix.lab.cni import multus
from podmatrix.lab.dataplane.kernel import probe_kernel
from podmatrix.lab.dataplane.node_network import NodeNetwork
from podmatrix.lab.dataplane.plan import plan_networks
from podmatrix.lab.dataplane.underlay import set_up_underlay
from podmatrix.lab.netns import NetNS
from podmatrix.lab.runtime import PodSandboxConfig
from podmatrix.lab.topology import Topology

FLANNEL_CONF = '{"cniVersion":"0.3.0","type":"flannel","delegate":{"isDefaultGateway":true}}'
FLANNEL_SECOND = (
    '{"cniVersion":"0.3.0","name":"flannel-conf","type":"flannel",'
    '"delegate":{"isDefaultGateway":false}}'
)
ON_FLANNEL = {"v1.multus-cni.io/default-network": "default/flannel-conf"}
DUAL = {"k8s.v1.cni.cncf.io/networks": "default/flannel-second"}


class Scene:
    """Two nodes, `a` and `b` of the topology's names, and the pods that were added."""

    def __init__(
        self, topology: Mapping[str, Any] | None = None, *, ipsets: bool | None = None
    ) -> None:
        declared = Topology.model_validate(topology or {})
        kernel = probe_kernel(declared.calico)
        if ipsets is not None:
            kernel = replace(kernel, ipsets=ipsets)
        self.plan = plan_networks(declared, kernel)
        self.nads = {
            ("default", "flannel-conf"): FLANNEL_CONF,
            ("default", "flannel-second"): FLANNEL_SECOND,
        }
        self.pods: dict[str, tuple[NodeNetwork, multus.SandboxRef, multus.CniResult]] = {}
        lab = netns.adopt("lab")
        set_up_underlay(self.plan, lab)
        self.nodes = [self._node(node.name, lab) for node in self.plan.nodes]

    def _node(self, name: str, lab: NetNS) -> NodeNetwork:
        files = Path("/run/nodes", name)
        network = NodeNetwork(self.plan, name, netns=netns.create(name), files=files, lab=lab)
        network.set_up()
        return network

    def lookup(self, namespace: str, name: str) -> Mapping[str, Any] | None:
        """A NadLookup."""
        config = self.nads.get((namespace, name))
        return None if config is None else {"spec": {"config": config}}

    def sandbox(self, name: str, annotations: Mapping[str, str] | None = None) -> multus.SandboxRef:
        """A namespace for a pod of namespace `net`, without networks."""
        config = PodSandboxConfig(
            namespace="net", name=name, uid=f"uid-of-{name}", annotations=annotations or {}
        )
        return multus.SandboxRef(
            config=config, sandbox_id=uuid.uuid4().hex * 2, netns=netns.create(name)
        )

    def add(
        self, node: int, name: str, annotations: Mapping[str, str] | None = None
    ) -> multus.CniResult:
        """A pod with its networks."""
        sandbox = self.sandbox(name, annotations)
        result = multus.add(self.nodes[node], sandbox, self.lookup)
        self.pods[name] = (self.nodes[node], sandbox, result)
        return result

    def delete(self, name: str) -> None:
        """CNI DEL and the end of the namespace."""
        node, sandbox, _ = self.pods.pop(name)
        multus.delete(node, sandbox)
        sandbox.netns.delete()

    def address(self, name: str, ifname: str) -> str:
        """The address of a pod's interface, as CNI told it."""
        for added in self.pods[name][2].added:
            if added.ifname == ifname:
                return added.cidrs[0].partition("/")[0]
        raise KeyError(f"{name} has no {ifname}")
