"""The configurations in a node's /etc/cni/net.d, as the daemons' installers leave them there.

The container runtime takes the first by name: Multus, whose delegate is the second, Calico's
(multus-cni/cmd/install_multus, calico/cni-plugin/pkg/install, flannel's kube-flannel-cfg).
"""

import json
from collections.abc import Mapping
from typing import Any

from podmatrix.lab.dataplane.plan import NetworkPlan, NodePlan

DIRECTORY = "etc/cni/net.d"
CLUSTER_NETWORK = "k8s-pod-network"
MULTUS_NETWORK = "multus-cni-network"

FLANNEL_CONFLIST: Mapping[str, Any] = {
    "name": "cbr0",
    "cniVersion": "0.3.1",
    "plugins": [
        {"type": "flannel", "delegate": {"hairpinMode": True, "isDefaultGateway": True}},
        {"type": "portmap", "capabilities": {"portMappings": True}},
    ],
}


def config_files(plan: NetworkPlan, node: NodePlan) -> dict[str, str]:
    """Paths below the node's `/` and their texts."""
    calico = _calico_conflist(plan, node)
    return {
        f"{DIRECTORY}/00-multus.conf": json.dumps(_multus_conf(plan, calico)) + "\n",
        f"{DIRECTORY}/10-calico.conflist": json.dumps(calico, indent=2) + "\n",
        f"{DIRECTORY}/10-flannel.conflist": json.dumps(FLANNEL_CONFLIST, indent=2) + "\n",
    }


def _multus_conf(plan: NetworkPlan, calico: Mapping[str, Any]) -> dict[str, Any]:
    isolation = {"namespaceIsolation": True} if plan.topology.multus.namespace_isolation else {}
    return {
        "cniVersion": "0.3.1",
        "name": MULTUS_NETWORK,
        "type": "multus",
        "capabilities": {"bandwidth": True, "portMappings": True},
        "kubeconfig": "/etc/cni/net.d/multus.d/multus.kubeconfig",
        **isolation,
        "delegates": [calico],
    }


def _calico_conflist(plan: NetworkPlan, node: NodePlan) -> dict[str, Any]:
    return {
        "name": CLUSTER_NETWORK,
        "cniVersion": "0.3.1",
        "plugins": [
            {
                "type": "calico",
                "log_level": "info",
                "log_file_path": "/var/log/calico/cni/cni.log",
                "datastore_type": "kubernetes",
                "nodename": node.name,
                "mtu": plan.calico_mtu,
                "ipam": {"type": "calico-ipam"},
                "policy": {"type": "k8s"},
                "kubernetes": {"kubeconfig": "/etc/cni/net.d/calico-kubeconfig"},
            },
            {"type": "portmap", "snat": True, "capabilities": {"portMappings": True}},
            {"type": "bandwidth", "capabilities": {"bandwidth": True}},
        ],
    }
