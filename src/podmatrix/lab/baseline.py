"""The objects that stand in the owner's cluster before any pod is deployed. Data, no I/O."""

import json
from typing import Any

import yaml

from podmatrix.lab.apiserver.seed import (
    ip_pool,
    network_attachment_definition,
    network_daemon_sets,
    service_cidr,
)
from podmatrix.lab.dataplane.plan import NetworkPlan
from podmatrix.lab.topology import Topology

FLANNEL_NAD: dict[str, object] = {
    "cniVersion": "0.3.0",
    "type": "flannel",
    "delegate": {"isDefaultGateway": True},
}

FLANNEL_LABELS = {"tier": "node", "k8s-app": "flannel", "app": "flannel"}
"""Those of kube-flannel.yml."""


def cluster_objects(plan: NetworkPlan) -> list[dict[str, Any]]:
    """In the order in which they can be created; the system's namespaces are there already."""
    return [
        _default_pool(plan),
        service_cidr(str(plan.topology.service_cidr)),
        network_attachment_definition("flannel-conf", FLANNEL_NAD),
        *network_daemon_sets(len(plan.nodes)),
        _config_map("kube-system", "kubeadm-config", _kubeadm(plan.topology)),
        _config_map("kube-flannel", "kube-flannel-cfg", _flannel(plan.topology), FLANNEL_LABELS),
    ]


def _default_pool(plan: NetworkPlan) -> dict[str, Any]:
    """Named and shaped as calico-node makes it at its first start."""
    calico, encapsulation = plan.topology.calico, plan.encapsulation
    mode = "CrossSubnet" if calico.cross_subnet else "Always"
    return ip_pool(
        "default-ipv4-ippool",
        str(calico.pool),
        block_size=calico.block_size,
        ipip_mode=mode if encapsulation == "ipip" else "Never",
        vxlan_mode=mode if encapsulation == "vxlan" else "Never",
        nat_outgoing=calico.nat_outgoing,
    )


def _config_map(
    namespace: str, name: str, data: dict[str, str], labels: dict[str, str] | None = None
) -> dict[str, Any]:
    metadata: dict[str, Any] = {"namespace": namespace, "name": name}
    if labels:
        metadata["labels"] = labels
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": data}


def _kubeadm(topology: Topology) -> dict[str, str]:
    """kubeadm's record of itself: where others read the service CIDR."""
    configuration = {
        "apiVersion": "kubeadm.k8s.io/v1beta4",
        "kind": "ClusterConfiguration",
        "kubernetesVersion": topology.kubernetes_version,
        "networking": {
            "dnsDomain": "cluster.local",
            "podSubnet": str(topology.flannel.network),
            "serviceSubnet": str(topology.service_cidr),
        },
    }
    return {"ClusterConfiguration": yaml.safe_dump(configuration)}


def _flannel(topology: Topology) -> dict[str, str]:
    flannel = topology.flannel
    backend = {"Type": "vxlan", "VNI": flannel.vni, "Port": flannel.port}
    network = {"Network": str(flannel.network), "Backend": backend}
    return {"net-conf.json": json.dumps(network, indent=2) + "\n"}
