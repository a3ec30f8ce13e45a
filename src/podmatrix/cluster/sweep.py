"""The whole plan, one exec per source pod and round: every planned cell gets one observation.

An error of API, pod, tool or parser is `not_run` with its reason. So is every cell of a pod that
died or was made anew while it was probed.
"""

import threading
from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from podmatrix.cluster import objects
from podmatrix.cluster.client import Cluster
from podmatrix.cluster.failures import patiently, status_of
from podmatrix.cluster.live import is_ready, state
from podmatrix.cluster.manifests import MANAGED_BY_LABEL, MANAGER
from podmatrix.cluster.probing import Answers, PodProber
from podmatrix.cluster.targets import Addresses, Source, Target
from podmatrix.cluster.workers import Limit, in_parallel
from podmatrix.errors import ClusterError, PodmatrixError
from podmatrix.model import Cell, LivePod, Observation, Outcome, PodLayout, PodRole
from podmatrix.polling import Deadline
from podmatrix.probes.script import Sending

Again = Callable[[Sequence[Observation]], Collection[str]]
"""Observations of all cells so far -> ids of those that are probed once more."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SweepResult:
    """One observation per planned cell in the plan's order, one layout per role."""

    cells: tuple[Observation, ...]
    layouts: tuple[PodLayout, ...]
    execs: int


def sweep(
    cluster: Cluster,
    pods: Sequence[LivePod],
    cells: Sequence[Cell],
    *,
    roles: Sequence[PodRole],
    timeout_s: float,
    concurrency: int = 16,
    again: Again | None = None,
    attempts: int = 2,
    progress: Callable[[str], None] = lambda _line: None,
    sending: Sending | None = None,
) -> SweepResult:
    """Probe `cells` from `pods`, at most `timeout_s` seconds a round, `attempts` rounds.

    Later rounds probe what `again` names, in new flows; their outcome counts, the earlier ones are
    kept beside it.
    """
    swept = _Sweep(cluster, pods, roles, Limit(concurrency), sending or Sending(), timeout_s)
    try:
        progress(f"probing {len(cells)} cells from {len(pods)} pods")
        merged = swept.round(cells, layout=True)
        ids = {cell.id: cell for cell in cells}
        for number in range(2, attempts + 1):
            wanted = set(again([merged[cell_id] for cell_id in ids]) if again else ())
            chosen = [cell for cell_id, cell in ids.items() if cell_id in wanted]
            if not chosen:
                break
            progress(f"round {number}: {len(chosen)} cells once more")
            for cell_id, latest in swept.round(chosen, layout=False).items():
                merged[cell_id] = _merged(merged[cell_id], latest)
    finally:
        swept.cancelled.set()
    return SweepResult(
        cells=tuple(merged[cell_id] for cell_id in ids),
        layouts=tuple(swept.layout(role) for role in roles),
        execs=swept.execs,
    )


def _merged(earlier: Observation, latest: Observation) -> Observation:
    return replace(
        latest,
        attempts=earlier.attempts + 1,
        earlier=(*earlier.earlier, earlier.outcome),
    )


class _Sweep:
    """What stays the same from round to round."""

    def __init__(
        self,
        cluster: Cluster,
        pods: Sequence[LivePod],
        roles: Sequence[PodRole],
        limit: Limit,
        sending: Sending,
        timeout_s: float,
    ) -> None:
        self._cluster = cluster
        self._roles = {role.id: role for role in roles}
        self._pods = {pod.role_id: pod for pod in pods if pod.role_id in self._roles}
        self._addresses = Addresses(self._pods, self._roles)
        self._limit = limit
        self._sending = sending
        self._timeout_s = timeout_s
        self._layouts: dict[str, PodLayout] = {}
        self.execs = 0
        self.cancelled = threading.Event()

    def round(self, cells: Sequence[Cell], *, layout: bool) -> dict[str, Observation]:
        """Probe each of `cells` once. With `layout`, every live pod is looked at, too."""
        observed, targets = self._aim(cells)
        sources = {pod.role_id for pod in self._pods.values() if layout and not pod.problem}
        sources |= set(targets)
        deadline = Deadline(self._timeout_s)
        tasks = {
            source: self._task(source, targets.get(source, []), layout, deadline)
            for source in sorted(sources)
        }
        results = in_parallel(
            tasks, limit=self._limit, timeout_s=self._timeout_s + 3.0, what="probe"
        )
        for source, result in results:
            if isinstance(result, PodmatrixError):
                self._failed(source, result, layout)
                answers = [_not_run(target.cell_id, str(result)) for target in targets[source]]
            else:
                self.execs += result.execs
                answers = list(result.observations)
                if result.layout:
                    self._layouts[source] = result.layout
            observed.update({answer.cell_id: answer for answer in answers})
        self._invalidate(cells, observed)
        return observed

    def layout(self, role: PodRole) -> PodLayout:
        """What was seen inside the pod of a role, or why nothing was."""
        if role.id in self._layouts:
            return self._layouts[role.id]
        pod = self._pods.get(role.id)
        problem = (pod.problem if pod else "not deployed") or "not looked at"
        return PodLayout(role_id=role.id, problem=problem)

    def _aim(
        self, cells: Iterable[Cell]
    ) -> tuple[dict[str, Observation], defaultdict[str, list[Target]]]:
        """Cells that cannot be probed, and the targets of the others by source pod."""
        observed: dict[str, Observation] = {}
        targets: defaultdict[str, list[Target]] = defaultdict(list)
        for cell in cells:
            target = self._addresses.target(cell)
            if isinstance(target, str):
                observed[cell.id] = _not_run(cell.id, target)
            else:
                targets[cell.source.pod_id].append(target)
        return observed, targets

    def _task(
        self, pod_id: str, targets: Sequence[Target], layout: bool, deadline: Deadline
    ) -> Callable[[], Answers]:
        source = Source(role=self._roles[pod_id], pod=self._pods[pod_id])
        prober = PodProber(self._cluster, source, self._addresses, sending=self._sending)

        def ask() -> Answers:
            if deadline.expired:
                raise ClusterError(f"not begun within the {deadline.timeout_s:g} s of the round")
            return prober.ask(targets, layout=layout, deadline=deadline, cancelled=self.cancelled)

        return lambda: patiently(ask, transient=self._throttled)

    def _throttled(self, exc: BaseException) -> bool:
        """Whether the server asks for fewer requests; then fewer are made from now on."""
        if status_of(exc) != 429:
            return False
        self._limit.lower()
        return True

    def _failed(self, pod_id: str, error: PodmatrixError, layout: bool) -> None:
        self.execs += 1
        if layout:
            self._layouts[pod_id] = PodLayout(role_id=pod_id, problem=str(error))

    def _invalidate(self, cells: Sequence[Cell], observed: dict[str, Observation]) -> None:
        """Take back what was seen from or of pods that are not what they were."""
        changed = self._changed()
        for cell in cells if changed else ():
            for end in (cell.source, cell.destination):
                if end.pod_id in changed and observed[cell.id].outcome is not Outcome.NOT_RUN:
                    observed[cell.id] = _not_run(cell.id, changed[end.pod_id])

    def _changed(self) -> Mapping[str, str]:
        """Pods that died or were made anew since they were deployed, and what became of them."""
        probed = [pod for pod in self._pods.values() if not pod.problem]
        selector = f"{MANAGED_BY_LABEL}={MANAGER}"
        now: dict[tuple[str, str], objects.Object] = {}
        try:
            for namespace in sorted({pod.namespace for pod in probed}):
                found, _ = objects.list_pods(self._cluster, namespace, selector)
                now |= {(namespace, pod["metadata"]["name"]): pod for pod in found}
        except ClusterError as exc:
            why = f"whether the pods are still what they were is unknown: {exc}"
            return {pod.role_id: why for pod in probed}
        changes = {pod.role_id: _change(pod, now.get((pod.namespace, pod.name))) for pod in probed}
        return {role_id: change for role_id, change in changes.items() if change}


def _change(then: LivePod, now: Mapping[str, object] | None) -> str:
    """What became of a pod; empty where it is the same and ready."""
    if now is None:
        return f"pod {then.name} was deleted during the sweep"
    metadata = now["metadata"]
    if isinstance(metadata, Mapping) and metadata.get("uid") != then.uid:
        return f"pod {then.name} was made anew during the sweep"
    if not is_ready(now):
        return f"pod {then.name} is not ready any more: {state(now)}"
    return ""


def _not_run(cell_id: str, why: str) -> Observation:
    return Observation(cell_id=cell_id, outcome=Outcome.NOT_RUN, detail=why)
