"""A pod as the API shows it -> LivePod, and the words for what it is waiting for. Pure."""

from collections.abc import Mapping, Sequence
from typing import Any

from podmatrix.cluster.network_status import parse_network_status
from podmatrix.errors import ClusterError
from podmatrix.model import LivePod


def is_ready(pod: Mapping[str, Any]) -> bool:
    """Whether it can be probed: Ready, on a node, with an address."""
    status = pod.get("status") or {}
    conditions = {c["type"]: c["status"] for c in status.get("conditions") or ()}
    return conditions.get("Ready") == "True" and bool(status.get("podIP"))


def is_over(pod: Mapping[str, Any]) -> bool:
    """Whether it can never become ready any more."""
    return (pod.get("status") or {}).get("phase") in {"Failed", "Succeeded"}


def state(pod: Mapping[str, Any] | None) -> str:
    """What it is waiting for, as `kubectl get pods` and its conditions say it."""
    if pod is None:
        return "not there"
    status = pod.get("status") or {}
    for container in status.get("containerStatuses") or ():
        for phase in ("waiting", "terminated"):
            details = (container.get("state") or {}).get(phase)
            if details and details.get("reason"):
                return ": ".join(filter(None, (details["reason"], details.get("message", ""))))
    for condition in status.get("conditions") or ():
        if condition["type"] == "PodScheduled" and condition["status"] == "False":
            return f"Pending: {condition.get('message') or condition.get('reason', '')}"
    return str(status.get("reason") or status.get("phase") or "Pending")


def last_event(events: Sequence[Mapping[str, Any]]) -> tuple[str, str]:
    """Reason and message of the last warning, else of the last event; empty where there is none."""
    warnings = [event for event in events if event.get("type") == "Warning"]
    for event in (warnings or list(events))[-1:]:
        return str(event.get("reason") or ""), str(event.get("message") or "")
    return "", ""


def live_pod(pod: Mapping[str, Any], *, role_id: str, problem: str = "") -> LivePod:
    """Read it. An annotation that cannot be read is a problem of the pod, never an empty one."""
    metadata, spec, status = (pod.get(key) or {} for key in ("metadata", "spec", "status"))
    try:
        network_status = parse_network_status(metadata.get("annotations") or {})
    except ClusterError as exc:
        network_status, problem = (), problem or str(exc)
    pod_ips = tuple(entry["ip"] for entry in status.get("podIPs") or () if entry.get("ip"))
    return LivePod(
        role_id=role_id,
        namespace=metadata["namespace"],
        name=metadata["name"],
        uid=metadata["uid"],
        node_name=spec.get("nodeName", ""),
        host_ip=status.get("hostIP", ""),
        pod_ips=pod_ips or tuple(filter(None, (status.get("podIP"),))),
        network_status=network_status,
        problem=problem,
    )


def missing_pod(*, role_id: str, namespace: str, problem: str) -> LivePod:
    """The place of a pod that could not even be created."""
    return LivePod(
        role_id=role_id,
        namespace=namespace,
        name=role_id,
        uid="",
        node_name="",
        host_ip="",
        pod_ips=(),
        problem=problem,
    )
