"""Nodes: the columns of `kubectl get nodes` and the resource."""

from datetime import datetime

from podmatrix.lab.apiserver.kinds.columns import AGE, METADATA_LABELS, NAME, NONE
from podmatrix.lab.apiserver.objects import Object
from podmatrix.lab.apiserver.resource import Column, Resource, Subresource

_ROLE = "node-role.kubernetes.io/"


def _status(node: Object, _at: datetime) -> str:
    conditions = node.get("status", {}).get("conditions") or []
    ready = next((one["status"] for one in conditions if one["type"] == "Ready"), None)
    words = ["Unknown" if ready is None else "Ready" if ready == "True" else "NotReady"]
    if node.get("spec", {}).get("unschedulable"):
        words.append("SchedulingDisabled")
    return ",".join(words)


def _roles(node: Object, _at: datetime) -> str:
    labels = node["metadata"].get("labels") or {}
    roles = sorted(key.removeprefix(_ROLE) for key in labels if key.startswith(_ROLE))
    return ",".join(role for role in roles if role) or NONE


def _address(node: Object, kind: str) -> str:
    addresses = node.get("status", {}).get("addresses") or []
    return next((one["address"] for one in addresses if one["type"] == kind), NONE)


def _info(node: Object, key: str) -> str:
    return str(node.get("status", {}).get("nodeInfo", {}).get(key) or "<unknown>")


NODES = Resource(
    group="",
    version="v1",
    plural="nodes",
    singular="node",
    kind="Node",
    namespaced=False,
    # Nodes come from the lab's topology: made or deleted by request there would be none behind it.
    verbs=("get", "list", "patch", "update", "watch"),
    short_names=("no",),
    subresources=(Subresource(name="status", kind="Node", verbs=("get", "patch", "update")),),
    columns=(
        NAME,
        Column(name="Status", cell=_status),
        Column(name="Roles", cell=_roles),
        AGE,
        Column(name="Version", cell=lambda node, _at: _info(node, "kubeletVersion")),
        Column(name="Internal-IP", priority=1, cell=lambda node, _at: _address(node, "InternalIP")),
        Column(name="External-IP", priority=1, cell=lambda node, _at: _address(node, "ExternalIP")),
        Column(name="OS-Image", priority=1, cell=lambda node, _at: _info(node, "osImage")),
        Column(
            name="Kernel-Version", priority=1, cell=lambda node, _at: _info(node, "kernelVersion")
        ),
        Column(
            name="Container-Runtime",
            priority=1,
            cell=lambda node, _at: _info(node, "containerRuntimeVersion"),
        ),
    ),
    field_labels={
        **METADATA_LABELS,
        "spec.unschedulable": lambda node: (
            "true" if node.get("spec", {}).get("unschedulable") else "false"
        ),
    },
    schema="io.k8s.api.core.v1.Node",
)
