"""The objects a cluster has at its start, built from plain values."""

import json
import os
import platform
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from podmatrix.errors import LabError
from podmatrix.lab.apiserver import registry, writes
from podmatrix.lab.apiserver.objects import Object, namespace_of, timestamp
from podmatrix.lab.apiserver.request_info import RequestInfo
from podmatrix.lab.apiserver.spec import ClusterSpec, NodeSpec
from podmatrix.lab.apiserver.store import Change, ChangeType, Store

SYSTEM_NAMESPACES = ("default", "kube-node-lease", "kube-public", "kube-system", "kube-flannel")


def seed(store: Store, cluster: ClusterSpec) -> None:
    """Put nodes, system namespaces and the cluster's own objects into the store.

    Every namespace gets its `default` service account, also those made later. Raises LabError for
    an object of a kind that is not served.
    """
    store.subscribe("namespaces", lambda change: _on_namespace(store, change))
    for name in SYSTEM_NAMESPACES:
        _put(store, {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}})
    for node in cluster.nodes:
        store.create("nodes", node_object(node, cluster.server_version))
    for obj in cluster.objects:
        _put(store, json.loads(json.dumps(obj)))


def _put(store: Store, obj: Object) -> None:
    resource = registry.of_kind(str(obj.get("apiVersion")), str(obj.get("kind")))
    if resource is None:
        raise LabError(f"initial object {obj.get('apiVersion')} {obj.get('kind')}: not served")
    status = obj.get("status")
    info = RequestInfo(resource=resource, namespace=namespace_of(obj))
    created = writes.create(store, info, obj)
    if status is not None:
        store.update(resource.key, {**created, "status": status})


def _on_namespace(store: Store, change: Change) -> None:
    if change.type is ChangeType.ADDED:
        name = change.object["metadata"]["name"]
        metadata = {"name": "default", "namespace": name}
        _put(store, {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": metadata})


def node_object(node: NodeSpec, server_version: str) -> Object:
    """A Ready node with what this machine really has."""
    machine = {"x86_64": "amd64", "aarch64": "arm64"}.get(platform.machine(), platform.machine())
    labels = {
        "beta.kubernetes.io/arch": machine,
        "beta.kubernetes.io/os": "linux",
        "kubernetes.io/arch": machine,
        "kubernetes.io/hostname": node.name,
        "kubernetes.io/os": "linux",
        **node.labels,
    }
    resources = {"cpu": str(os.cpu_count() or 1), "memory": f"{_memory_kib()}Ki", "pods": "110"}
    return {
        "apiVersion": "v1",
        "kind": "Node",
        "metadata": {
            "name": node.name,
            "labels": labels,
            "annotations": {**_NODE_ANNOTATIONS, **node.annotations},
        },
        "spec": {"podCIDR": node.pod_cidr, "podCIDRs": [node.pod_cidr]},
        "status": {
            "addresses": [
                {"address": node.internal_ip, "type": "InternalIP"},
                {"address": node.name, "type": "Hostname"},
            ],
            "allocatable": resources,
            "capacity": resources,
            "conditions": list(_node_conditions()),
            "daemonEndpoints": {"kubeletEndpoint": {"Port": 0}},
            "nodeInfo": _node_info(machine, server_version),
        },
    }


def _node_info(machine: str, server_version: str) -> Object:
    return {
        "architecture": machine,
        "bootID": Path("/proc/sys/kernel/random/boot_id").read_text().strip(),
        "containerRuntimeVersion": "podmatrix://lab",
        "kernelVersion": platform.release(),
        "kubeProxyVersion": "",
        "kubeletVersion": server_version,
        "machineID": "",
        "operatingSystem": "linux",
        "osImage": "podmatrix lab",
        "systemUUID": "",
    }


def _memory_kib() -> int:
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") // 1024


_NODE_ANNOTATIONS = {
    "node.alpha.kubernetes.io/ttl": "0",
    "volumes.kubernetes.io/controller-managed-attach-detach": "true",
}
_PRESSURES = (
    (
        "MemoryPressure",
        "False",
        "KubeletHasSufficientMemory",
        "kubelet has sufficient memory available",
    ),
    ("DiskPressure", "False", "KubeletHasNoDiskPressure", "kubelet has no disk pressure"),
    ("PIDPressure", "False", "KubeletHasSufficientPID", "kubelet has sufficient PID available"),
)


def _node_conditions() -> Iterator[Object]:
    said = (
        ("NetworkUnavailable", "False", "CalicoIsUp", "Calico is running on this node"),
        *_PRESSURES,
        ("Ready", "True", "KubeletReady", "kubelet is posting ready status"),
    )
    for type_, status, reason, message in said:
        at = timestamp()
        yield {
            "type": type_,
            "status": status,
            "reason": reason,
            "message": message,
            "lastHeartbeatTime": at,
            "lastTransitionTime": at,
        }


def network_attachment_definition(
    name: str, config: Mapping[str, object], *, namespace: str = "default"
) -> Object:
    """A NetworkAttachmentDefinition; `config` is written as compact JSON."""
    return {
        "apiVersion": "k8s.cni.cncf.io/v1",
        "kind": "NetworkAttachmentDefinition",
        "metadata": {"name": name, "namespace": namespace},
        "spec": {"config": json.dumps(config, separators=(",", ":"))},
    }


def ip_pool(
    name: str,
    cidr: str,
    *,
    block_size: int = 26,
    ipip_mode: str = "Never",
    vxlan_mode: str = "Never",
    nat_outgoing: bool = True,
) -> Object:
    """A Calico IPPool; the modes are Always, CrossSubnet or Never."""
    return {
        "apiVersion": "crd.projectcalico.org/v1",
        "kind": "IPPool",
        "metadata": {"name": name},
        "spec": {
            "allowedUses": ["Workload", "Tunnel"],
            "assignmentMode": "Automatic",
            "blockSize": block_size,
            "cidr": cidr,
            "ipipMode": ipip_mode,
            "natOutgoing": nat_outgoing,
            "nodeSelector": "all()",
            "vxlanMode": vxlan_mode,
        },
    }


def service_cidr(cidr: str) -> Object:
    """The ServiceCIDR that a kube-apiserver from 1.33 on makes of its own flag."""
    return {
        "apiVersion": "networking.k8s.io/v1",
        "kind": "ServiceCIDR",
        "metadata": {"name": "kubernetes"},
        "spec": {"cidrs": [cidr]},
    }


def daemon_set(
    name: str, namespace: str, labels: Mapping[str, str], *, image: str, nodes: int
) -> Object:
    """A DaemonSet that has a ready pod on each of `nodes` nodes."""
    container = {"name": name, "image": image}
    counts = ("current", "desired", "updated")
    status = {f"{one}NumberScheduled": nodes for one in counts} | {
        "numberAvailable": nodes,
        "numberMisscheduled": 0,
        "numberReady": nodes,
        "observedGeneration": 1,
    }
    return {
        "apiVersion": "apps/v1",
        "kind": "DaemonSet",
        "metadata": {"name": name, "namespace": namespace, "labels": dict(labels)},
        "spec": {
            "selector": {"matchLabels": dict(labels)},
            "template": {
                "metadata": {"labels": dict(labels)},
                "spec": {"hostNetwork": True, "containers": [container]},
            },
        },
        "status": status,
    }


def network_daemon_sets(nodes: int) -> Sequence[Object]:
    """Flannel's, Calico's and Multus' DaemonSets, named and labelled as their manifests do."""
    return (
        daemon_set(
            "kube-flannel-ds",
            "kube-flannel",
            {"app": "flannel", "k8s-app": "flannel", "tier": "node"},
            image="ghcr.io/flannel-io/flannel:lab",
            nodes=nodes,
        ),
        daemon_set(
            "calico-node",
            "kube-system",
            {"k8s-app": "calico-node"},
            image="quay.io/calico/node:lab",
            nodes=nodes,
        ),
        daemon_set(
            "kube-multus-ds",
            "kube-system",
            {"app": "multus", "name": "multus", "tier": "node"},
            image="ghcr.io/k8snetworkplumbingwg/multus-cni:lab",
            nodes=nodes,
        ),
    )
