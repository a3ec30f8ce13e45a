"""The columns of `kubectl get pods`: printPod of kubernetes/pkg/printers/internalversion."""

from datetime import datetime
from typing import Any

from podmatrix.lab.apiserver.ages import age
from podmatrix.lab.apiserver.kinds.columns import AGE, NAME, NONE
from podmatrix.lab.apiserver.objects import Object
from podmatrix.lab.apiserver.resource import Column


def _statuses(pod: Object) -> list[Object]:
    return pod.get("status", {}).get("containerStatuses") or []


def _ready(pod: Object, _at: datetime) -> str:
    ready = sum(1 for one in _statuses(pod) if one.get("ready") and "running" in one["state"])
    return f"{ready}/{len(pod['spec'].get('containers') or [])}"


def _init_reason(pod: Object) -> str:
    """What the first unfinished init container shows, "" when all are done."""
    statuses = pod.get("status", {}).get("initContainerStatuses") or []
    for number, status in enumerate(statuses):
        state: Object = status.get("state") or {}
        terminated, waiting = state.get("terminated"), state.get("waiting")
        if terminated and terminated.get("exitCode") == 0:
            continue
        if terminated:
            return "Init:" + (terminated.get("reason") or f"ExitCode:{terminated['exitCode']}")
        if waiting and waiting.get("reason") not in (None, "PodInitializing"):
            return f"Init:{waiting['reason']}"
        return f"Init:{number}/{len(statuses)}"
    return ""


def _container_reason(status: Object, reason: str) -> str:
    waiting, terminated = (status.get("state", {}).get(key) for key in ("waiting", "terminated"))
    if waiting and waiting.get("reason"):
        return str(waiting["reason"])
    if terminated and terminated.get("reason"):
        return str(terminated["reason"])
    if terminated and terminated.get("signal"):
        return f"Signal:{terminated['signal']}"
    return f"ExitCode:{terminated['exitCode']}" if terminated else reason


def _has_condition(pod: Object, kind: str) -> bool:
    conditions = pod.get("status", {}).get("conditions") or []
    return any(one["type"] == kind and one["status"] == "True" for one in conditions)


def pod_status(pod: Object, _at: datetime) -> str:
    """The STATUS column: phase, or what keeps the pod from it."""
    status = pod.get("status", {})
    phase = status.get("phase", "")
    reason = str(status.get("reason") or phase)
    if init := _init_reason(pod):
        reason = init
    else:
        for container in reversed(_statuses(pod)):
            reason = _container_reason(container, reason)
        running = any("running" in one["state"] and one["ready"] for one in _statuses(pod))
        if reason == "Completed" and running:
            reason = "Running" if _has_condition(pod, "Ready") else "NotReady"
    if "deletionTimestamp" in pod["metadata"] and phase not in ("Succeeded", "Failed"):
        return "Terminating"
    return reason


def _restarts(pod: Object, at: datetime) -> str:
    count = sum(one.get("restartCount", 0) for one in _statuses(pod))
    ends = [
        one["lastState"]["terminated"]["finishedAt"]
        for one in _statuses(pod)
        if (one.get("lastState") or {}).get("terminated", {}).get("finishedAt")
    ]
    return f"{count} ({age(max(ends), at)} ago)" if count and ends else str(count)


def _field(part: str, key: str) -> Column:
    titles = {"podIP": "IP", "nodeName": "Node", "nominatedNodeName": "Nominated Node"}
    return Column(
        name=titles[key],
        priority=1,
        cell=lambda pod, _at: pod.get(part, {}).get(key) or NONE,
    )


def row_conditions(pod: Object) -> list[dict[str, Any]]:
    """The conditions of a Table row: finished pods say so."""
    phase = pod.get("status", {}).get("phase")
    messages = {
        "Succeeded": "The pod has completed successfully.",
        "Failed": "The pod failed.",
    }
    if phase not in messages:
        return []
    condition = {"type": "Completed", "status": "True", "reason": phase, "message": messages[phase]}
    return [condition]


POD_COLUMNS = (
    NAME,
    Column(name="Ready", cell=_ready),
    Column(name="Status", cell=pod_status),
    Column(name="Restarts", cell=_restarts),
    AGE,
    _field("status", "podIP"),
    _field("spec", "nodeName"),
    _field("status", "nominatedNodeName"),
    Column(name="Readiness Gates", priority=1, cell=lambda _pod, _at: NONE),
)
