"""The scheduler: binds each new pod to the node that fits and has the fewest pods."""

from collections import Counter

from podmatrix.lab.apiserver.node_affinity import matches_node, untolerated_taint
from podmatrix.lab.apiserver.objects import Object, name_of, namespace_of, timestamp
from podmatrix.lab.apiserver.recorder import NORMAL, WARNING, EventRecorder
from podmatrix.lab.apiserver.store import Change, ChangeType, Store

_MISMATCH = "node(s) didn't match Pod's node affinity/selector"
_UNSCHEDULABLE = "node(s) were unschedulable"


class Scheduler:
    """Acts within the write that calls for it: a new pod, or a node that changed."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._events = EventRecorder(store, "default-scheduler")
        store.subscribe("pods", self._on_pod)
        store.subscribe("nodes", self._on_node)

    def _on_pod(self, change: Change) -> None:
        if change.type is ChangeType.ADDED:
            self._schedule(change.object)
        elif change.type is ChangeType.DELETED:
            self._events.forget(change.object["metadata"]["uid"])

    def _on_node(self, change: Change) -> None:
        """Labels and taints may have changed: try those that wait."""
        for pod in tuple(self._store.list("pods")):
            self._schedule(pod)

    def _schedule(self, pod: Object) -> None:
        spec = pod["spec"]
        if spec.get("nodeName") or "deletionTimestamp" in pod["metadata"]:
            return
        if spec["schedulerName"] != "default-scheduler":
            return  # as in a real cluster: it waits for a scheduler of that name
        nodes = list(self._store.list("nodes"))
        refusals = {name_of(node): _refusal(pod, node) for node in nodes}
        fitting = [name for name, refusal in refusals.items() if not refusal]
        if fitting:
            self._bind(pod, self._least_used(fitting))
        else:
            self._give_up(pod, Counter(refusals.values()), len(nodes))

    def _least_used(self, names: list[str]) -> str:
        pods = Counter(one["spec"].get("nodeName") for one in self._store.list("pods"))
        return min(names, key=lambda name: (pods[name], name))

    def _bind(self, pod: Object, node_name: str) -> None:
        bound = {**pod, "spec": {**pod["spec"], "nodeName": node_name}}
        status = {**pod["status"], "conditions": [_condition(pod, "True")]}
        where = f"{namespace_of(pod)}/{name_of(pod)}"
        self._events.record(
            pod, NORMAL, "Scheduled", f"Successfully assigned {where} to {node_name}"
        )
        self._store.update("pods", {**bound, "status": status})

    def _give_up(self, pod: Object, refusals: Counter[str], nodes: int) -> None:
        listed = ", ".join(f"{count} {why}" for why, count in sorted(refusals.items()))
        message = (
            f"0/{nodes} nodes are available: {listed}. no new claims to deallocate, preemption: "
            f"0/{nodes} nodes are available: {nodes} Preemption is not helpful for scheduling."
        )
        conditions = pod["status"].get("conditions") or []
        if any(one.get("message") == message for one in conditions):
            return
        refused = _condition(pod, "False", reason="Unschedulable", message=message)
        self._events.record(pod, WARNING, "FailedScheduling", message)
        self._store.update("pods", {**pod, "status": {**pod["status"], "conditions": [refused]}})


def _refusal(pod: Object, node: Object) -> str:
    """Why the pod cannot run there in the scheduler's words, "" where it can."""
    if node.get("spec", {}).get("unschedulable"):
        return _UNSCHEDULABLE
    if taint := untolerated_taint(pod, node):
        return f"node(s) had untolerated taint {{{taint['key']}: {taint.get('value', '')}}}"
    return "" if matches_node(pod, node) else _MISMATCH


def _condition(pod: Object, status: str, **more: str) -> Object:
    return {
        "type": "PodScheduled",
        "status": status,
        "lastProbeTime": None,
        "lastTransitionTime": timestamp(),
        "observedGeneration": pod["metadata"].get("generation", 1),
        **more,
    }
