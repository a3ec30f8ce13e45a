"""Waits until the pods of a run are ready, saying meanwhile what the slowest one waits for."""

from collections.abc import Callable, Sequence
from typing import Any

from podmatrix.cluster import objects
from podmatrix.cluster.client import Cluster
from podmatrix.cluster.live import is_over, is_ready, last_event, live_pod, missing_pod, state
from podmatrix.errors import ClusterError, ConvergenceTimeout
from podmatrix.model import LivePod
from podmatrix.polling import Deadline, wait_until

PROGRESS_S = 5.0
"""How often the state of the slowest pod is said while nothing else changes."""


class Readiness:
    """What is known of the pods of a run, by name. `refuse()` those that will never be there."""

    def __init__(
        self,
        cluster: Cluster,
        namespace: str,
        selector: str,
        names: Sequence[str],
        *,
        deadline: Deadline,
        progress: Callable[[str], None],
    ) -> None:
        self._cluster = cluster
        self._namespace = namespace
        self._selector = selector
        self._names = tuple(names)
        self._deadline = deadline
        self._progress = progress
        self._refused: dict[str, str] = {}
        self._seen: dict[str, dict[str, Any]] = {}

    def refuse(self, name: str, why: str) -> None:
        """Stop waiting for a pod."""
        self._refused[name] = why

    def wait(self) -> tuple[LivePod, ...]:
        """Wait until nothing is waited for any more, or the time is over.

        Returns all pods in order, each with its `problem` where it is not ready. Raises
        ClusterError where the API does not answer.
        """
        while True:
            version = self._list()
            if self.waiting:
                self._follow(version)
            if not self.waiting or self._deadline.expired:
                return tuple(self._live(name) for name in self._names)
            self._progress(self._slowest())

    @property
    def waiting(self) -> list[str]:
        """The pods that are not ready and may still become so."""
        return [
            name
            for name in self._names
            if name not in self._refused
            and not is_ready(pod := self._seen.get(name) or {})
            and not is_over(pod)
        ]

    def _list(self) -> str:
        found, version = objects.list_pods(self._cluster, self._namespace, self._selector)
        self._seen = {pod["metadata"]["name"]: pod for pod in found}
        return version

    def _follow(self, version: str) -> None:
        """Take in changes until nothing is waited for any more, or for PROGRESS_S."""
        slice_s = min(PROGRESS_S, max(1.0, self._deadline.remaining_s))
        try:
            changes = objects.watch_pods(
                self._cluster, self._namespace, self._selector, version, timeout_s=slice_s
            )
            for kind, pod in changes:
                self._take_in(kind, pod)
                if not self.waiting or self._deadline.expired:
                    return
        except ClusterError:
            # Cut, too old (410) or not allowed: the list is asked again, at a measured pace.
            self._poll(slice_s)

    def _take_in(self, kind: str, pod: dict[str, Any]) -> None:
        name = pod["metadata"].get("name", "")
        if kind == "DELETED":
            self._seen.pop(name, None)
            self.refuse(name, "it was deleted while it was waited for")
        elif kind != "BOOKMARK":
            self._seen[name] = pod

    def _poll(self, timeout_s: float) -> None:
        def nothing_waiting() -> bool:
            self._list()
            return not self.waiting

        try:
            wait_until(nothing_waiting, timeout_s=timeout_s, what="pods", interval_s=0.5)
        except ConvergenceTimeout:
            return

    def _slowest(self) -> str:
        waiting = self.waiting
        ready = sum(is_ready(self._seen.get(name) or {}) for name in self._names)
        waits = f"waiting for {waiting[0]}{self._why(waiting[0])}"
        return f"{ready} of {len(self._names)} pods ready; {waits}"

    def _why(self, name: str) -> str:
        """State and last event, as `: STATE; last event EVENT`."""
        known = state(self._seen.get(name))
        try:
            events = objects.pod_events(self._cluster, self._namespace, name)
        except ClusterError as exc:
            return f": {known}; its events are unknown, {exc}"
        reason, message = last_event(events)
        # Kubelets put the same words into both.
        if not reason or (message and message.removeprefix("Error: ") in known):
            return f": {known}"
        return f": {known}; last event {reason}: {message}"

    def _live(self, name: str) -> LivePod:
        problem, pod = self._refused.get(name, ""), self._seen.get(name)
        within = f"within {self._deadline.timeout_s:g} s"
        if pod is None:
            problem = problem or f"not there {within}"
            return missing_pod(role_id=name, namespace=self._namespace, problem=problem)
        if not is_ready(pod) and not problem:
            problem = f"not ready {'' if is_over(pod) else within}".strip() + self._why(name)
        return live_pod(pod, role_id=name, problem=problem)
