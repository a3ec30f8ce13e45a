"""Removes what one run made, and nothing else: by the run's label, or its own namespace."""

import threading
from collections.abc import Callable, Sequence
from typing import Any

from podmatrix.cluster import objects
from podmatrix.cluster.client import Cluster
from podmatrix.cluster.manifests import RUN_LABEL
from podmatrix.cluster.workers import Limit, in_parallel
from podmatrix.errors import ClusterError, ConvergenceTimeout, PodmatrixError
from podmatrix.polling import Deadline, wait_until

DEADLINE_S = 30.0
PARALLEL_REQUESTS = 8


class InFlight:
    """Counts requests that create something, so that clean-up does not overtake them."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._count = 0

    def __enter__(self) -> None:
        with self._lock:
            self._count += 1

    def __exit__(self, *_: object) -> None:
        with self._lock:
            self._count -= 1

    @property
    def empty(self) -> bool:
        """Whether every such request has been answered."""
        return self._count == 0


def remove(
    cluster: Cluster,
    namespace: str,
    run_id: str,
    *,
    owns_namespace: bool,
    in_flight: InFlight,
    progress: Callable[[str], None],
) -> tuple[str, ...]:
    """Delete and wait until it is gone, 30 s at most; calling it again does no harm.

    Returns what is left, each with its reason. Raises nothing: this runs while other errors pass.
    """
    deadline = Deadline(DEADLINE_S)
    removal = _Removal(cluster, namespace, run_id, owns_namespace, deadline)
    try:
        wait_until(lambda: in_flight.empty, timeout_s=5.0, what="requests under way")
        removal.start()
        wait_until(
            removal.is_over,
            timeout_s=deadline.remaining_s,
            what=f"removal of {removal.subject}",
            last=lambda: removal.left,
            interval_s=0.1,
        )
    except (ClusterError, ConvergenceTimeout) as exc:
        left = f"{removal.subject} is left in the cluster: {exc}; remove it: {removal.command}"
        progress(left)
        return (left,)
    return ()


class _Removal:
    def __init__(
        self,
        cluster: Cluster,
        namespace: str,
        run_id: str,
        owns_namespace: bool,
        deadline: Deadline,
    ) -> None:
        self._cluster = cluster
        self._namespace = namespace
        self._run_id = run_id
        self._owns_namespace = owns_namespace
        self._deadline = deadline
        self._selector = f"{RUN_LABEL}={run_id}"
        self.left = ""

    @property
    def subject(self) -> str:
        """What is being removed."""
        if self._owns_namespace:
            return f"namespace {self._namespace}"
        return f"what run {self._run_id} made in namespace {self._namespace}"

    @property
    def command(self) -> str:
        """What a user can type to the same effect."""
        if self._owns_namespace:
            return f"kubectl delete namespace {self._namespace}"
        kinds = "pods,network-attachment-definitions.k8s.cni.cncf.io"
        return f"kubectl delete {kinds} -n {self._namespace} -l {self._selector}"

    def start(self) -> None:
        """Ask for the removal of everything. Raises ClusterError."""
        pods, _ = objects.list_pods(self._cluster, self._namespace, self._selector)
        tasks = {pod["metadata"]["uid"]: self._deletion(pod) for pod in pods}
        results = in_parallel(
            tasks,
            limit=Limit(PARALLEL_REQUESTS),
            timeout_s=self._deadline.remaining_s,
            what="delete the pods",
        )
        errors = [result for _, result in results if isinstance(result, PodmatrixError)]
        if self._owns_namespace:
            self._delete_namespace()
            return
        for nad in objects.list_nads(self._cluster, self._namespace, self._selector):
            objects.delete_nad(self._cluster, nad)
        if errors:
            raise errors[0]

    def is_over(self) -> bool:
        """Whether nothing is left. Raises ClusterError."""
        if self._owns_namespace:
            found = self._our_namespace()
            self.left = f"namespace {found['status'].get('phase')}" if found else ""
            return not found
        pods, _ = objects.list_pods(self._cluster, self._namespace, self._selector)
        nads = objects.list_nads(self._cluster, self._namespace, self._selector)
        self.left = ", ".join(_names((*pods, *nads)))
        return not self.left

    def _deletion(self, pod: dict[str, Any]) -> Callable[[], None]:
        return lambda: objects.delete_pod(self._cluster, pod)

    def _delete_namespace(self) -> None:
        if found := self._our_namespace():
            objects.delete_namespace(self._cluster, self._namespace, found["metadata"]["uid"])

    def _our_namespace(self) -> dict[str, Any] | None:
        """The namespace, if it carries the label of this run: never another's of the same name."""
        found = objects.read_namespace(self._cluster, self._namespace)
        labels = ((found or {}).get("metadata") or {}).get("labels") or {}
        return found if labels.get(RUN_LABEL) == self._run_id else None


def _names(found: Sequence[dict[str, Any]]) -> list[str]:
    return [f"{item.get('kind') or 'object'} {item['metadata']['name']}" for item in found]
