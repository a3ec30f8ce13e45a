"""The pods of one run: made, waited for, and taken down again whatever happens meanwhile.

Everything made carries the run's label, and is written down before the request that makes it.
Nothing outside the run's namespace is ever created, changed or deleted.
"""

import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from podmatrix.cluster import objects
from podmatrix.cluster.client import Cluster
from podmatrix.cluster.cleanup import remove
from podmatrix.cluster.failures import StatusError
from podmatrix.cluster.live import (
    is_over,
    is_ready,
    last_event,
    live_pod,
    missing_pod,
    state,
)
from podmatrix.cluster.manifests import (
    RUN_LABEL,
    nad_manifest,
    namespace_manifest,
    needed_nads,
    pod_manifest,
)
from podmatrix.cluster.workers import Limit, in_parallel
from podmatrix.errors import ClusterError, ConvergenceTimeout, PodmatrixError, TestbedError
from podmatrix.model import LivePod, Node, PodRole
from podmatrix.polling import Deadline, wait_until
from podmatrix.profile import Profile

PARALLEL_REQUESTS = 8
PROGRESS_S = 5.0
"""How often the state of the slowest pod is said while nothing else changes."""

SERVICE_ACCOUNT_WAIT_S = 20.0

Progress = Callable[[str], None]


class Testbed:
    """What deploy() made. `pods` and `notes` are complete after wait_ready()."""

    __test__ = False  # pytest: not a test class, whatever its name begins with

    def __init__(
        self,
        cluster: Cluster,
        roles: Sequence[PodRole],
        *,
        run_id: str,
        namespace: str | None,
        timeout_s: float,
        progress: Progress,
    ) -> None:
        self.cluster = cluster
        self.run_id = run_id
        self.owns_namespace = namespace is None
        self.namespace = namespace or f"podmatrix-{run_id}"
        self.notes: tuple[str, ...] = ()
        self.pods: tuple[LivePod, ...] = ()
        self._roles = tuple(roles)
        self._deadline = Deadline(timeout_s)
        self._progress = progress
        self._refused: dict[str, str] = {}
        self._seen: dict[str, dict[str, Any]] = {}
        self._in_flight = InFlight()

    @property
    def selector(self) -> str:
        """The label selector of everything this run made."""
        return f"{RUN_LABEL}={self.run_id}"

    def wait_ready(self) -> None:
        """Wait until every pod is ready or the time is over; then `pods` tells which is what.

        Raises ClusterError where the API does not answer.
        """
        self._progress(f"namespace {self.namespace}: {len(self._roles)} pods")
        while self._waiting() and not self._deadline.expired:
            found, version = objects.list_pods(self.cluster, self.namespace, self.selector)
            self._seen = {pod["metadata"]["name"]: pod for pod in found}
            if self._waiting():
                self._follow(version)
            if self._waiting():
                self._progress(self._slowest())
        self.pods = tuple(self._live(role) for role in self._roles)
        ready = sum(not pod.problem for pod in self.pods)
        self._progress(f"{ready} of {len(self.pods)} pods ready")
        for pod in self.pods:
            if pod.problem:
                self._progress(f"pod {pod.name}: {pod.problem}")

    def delete(self) -> tuple[str, ...]:
        """Remove what this run made. Returns what is left after 30 s, which is also said."""
        return remove(
            self.cluster,
            self.namespace,
            self.run_id,
            owns_namespace=self.owns_namespace,
            in_flight=self._in_flight,
            progress=self._progress,
        )

    def create(
        self, profile: Profile, hostnames: Mapping[str, str], *, image: str
    ) -> None:
        """Create namespace, missing NADs and pods. Raises ClusterError, TestbedError."""
        self._make_namespace()
        nads = self._make_nads(profile)
        manifests = {
            role.id: pod_manifest(
                profile,
                role,
                namespace=self.namespace,
                hostname=hostnames[role.slot],
                image=image,
                run_id=self.run_id,
                nads=nads,
            )
            for role in self._roles
        }
        tasks = {name: self._creation(manifest) for name, manifest in manifests.items()}
        results = in_parallel(
            tasks,
            limit=Limit(PARALLEL_REQUESTS),
            timeout_s=max(60.0, self._deadline.timeout_s),
            what="create the pods",
        )
        for name, result in results:
            if isinstance(result, PodmatrixError):
                self._refused[name] = str(result)
        if len(self._refused) == len(manifests):
            raise TestbedError(f"no pod could be created: {next(iter(self._refused.values()))}")

    def _make_namespace(self) -> None:
        if not self.owns_namespace:
            if objects.read_namespace(self.cluster, self.namespace) is None:
                raise TestbedError(
                    f"--matrix-namespace={self.namespace}: there is none; create it, or leave the "
                    "option out and one is made for the run"
                )
            return
        host_network = any(role.host_network for role in self._roles)
        manifest = namespace_manifest(self.namespace, self.run_id, host_network=host_network)
        with self._in_flight:
            objects.create_namespace(self.cluster, manifest)

    def _make_nads(self, profile: Profile) -> dict[str, str]:
        """Missing NADs -> those that stand in for them."""
        stand_ins = {}
        for reference in needed_nads(profile):
            try:
                if objects.read_nad(self.cluster, reference) is not None:
                    continue
            except StatusError as exc:
                if exc.status != 403:
                    raise
                self._note(f"{reference}: taken for granted, it may not be read ({exc})")
                continue
            manifest = nad_manifest(
                profile, reference, namespace=self.namespace, run_id=self.run_id
            )
            name = f"{self.namespace}/{manifest['metadata']['name']}"
            self._make_nad(manifest)
            stand_ins[reference] = name
            self._note(f"NetworkAttachmentDefinition {reference} is missing: {name} stands in")
        return stand_ins

    def _make_nad(self, manifest: Mapping[str, Any]) -> None:
        try:
            with self._in_flight:
                objects.create_nad(self.cluster, manifest)
        except StatusError as exc:
            if exc.status != 404:
                raise
            raise TestbedError(
                f"{self.cluster.where} knows no NetworkAttachmentDefinition: Multus is not "
                "installed; install it, or use --matrix-profile=single-network"
            ) from exc

    def _creation(self, manifest: Mapping[str, Any]) -> Callable[[], None]:
        """The task that creates one pod."""

        def attempt() -> bool:
            try:
                with self._in_flight:
                    objects.create_pod(self.cluster, manifest)
            except StatusError as exc:
                # A controller makes it a moment after the namespace.
                if exc.status == 403 and 'serviceaccount "default" not found' in str(exc):
                    return False
                # An attempt before this one got through, though its answer did not.
                if exc.status == 409 and self._is_ours(manifest["metadata"]["name"]):
                    return True
                raise
            return True

        def create() -> None:
            wait_until(
                attempt,
                timeout_s=SERVICE_ACCOUNT_WAIT_S,
                what=f'serviceaccount "default" of namespace {self.namespace}',
                interval_s=0.05,
            )

        return create

    def _is_ours(self, name: str) -> bool:
        found, _ = objects.list_pods(self.cluster, self.namespace, self.selector)
        return any(pod["metadata"]["name"] == name for pod in found)

    def _follow(self, version: str) -> None:
        """Take in changes until nothing is waited for any more, or for PROGRESS_S."""
        slice_s = min(PROGRESS_S, max(1.0, self._deadline.remaining_s))
        try:
            changes = objects.watch_pods(
                self.cluster, self.namespace, self.selector, version, timeout_s=slice_s
            )
            for kind, pod in changes:
                name = pod["metadata"].get("name")
                if kind == "DELETED":
                    self._seen.pop(name, None)
                    self._refused[name] = "it was deleted while it was waited for"
                elif kind != "BOOKMARK":
                    self._seen[name] = pod
                if not self._waiting() or self._deadline.expired:
                    return
        except ClusterError:
            # Cut, too old (410) or not allowed: the list is asked again, at a measured pace.
            self._poll(slice_s)

    def _poll(self, timeout_s: float) -> None:
        def nothing_waiting() -> bool:
            found, _ = objects.list_pods(self.cluster, self.namespace, self.selector)
            self._seen = {pod["metadata"]["name"]: pod for pod in found}
            return not self._waiting()

        try:
            wait_until(nothing_waiting, timeout_s=timeout_s, what="pods", interval_s=0.5)
        except ConvergenceTimeout:
            return

    def _waiting(self) -> list[str]:
        return [
            role.id
            for role in self._roles
            if role.id not in self._refused
            and not is_ready(pod := self._seen.get(role.id) or {})
            and not is_over(pod)
        ]

    def _slowest(self) -> str:
        waiting = self._waiting()
        ready = len(self._roles) - len(waiting) - len(self._refused)
        name = waiting[0]
        event = self._last_event(name)
        return (
            f"{ready} of {len(self._roles)} pods ready; waiting for {name} "
            f"({state(self._seen.get(name))})" + (f", last event {event}" if event else "")
        )

    def _last_event(self, name: str) -> str:
        try:
            return last_event(objects.pod_events(self.cluster, self.namespace, name))
        except ClusterError as exc:
            return f"unknown ({exc})"

    def _live(self, role: PodRole) -> LivePod:
        refused, pod = self._refused.get(role.id, ""), self._seen.get(role.id)
        if pod is None:
            problem = refused or f"not there after {self._deadline.timeout_s:g} s"
            return missing_pod(role_id=role.id, namespace=self.namespace, problem=problem)
        if not is_ready(pod) and not refused:
            event = self._last_event(role.id)
            refused = f"not ready within {self._deadline.timeout_s:g} s: {state(pod)}" + (
                f"; last event {event}" if event else ""
            )
        return live_pod(pod, role_id=role.id, problem=refused)

    def _note(self, note: str) -> None:
        self.notes += (note,)
        self._progress(note)


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


def deploy(
    cluster: Cluster,
    profile: Profile,
    roles: Sequence[PodRole],
    nodes: Sequence[Node],
    *,
    run_id: str,
    namespace: str | None = None,
    image: str,
    timeout_s: float,
    progress: Progress,
) -> Testbed:
    """Create the pods of a run, each pinned to its node; wait_ready() then waits for them.

    `timeout_s` counts from here. Whatever ends this early, an interrupt too, removes first what was
    made. Raises ClusterError, TestbedError.
    """
    testbed = Testbed(
        cluster, roles, run_id=run_id, namespace=namespace, timeout_s=timeout_s, progress=progress
    )
    infos = {info.name: info for info in cluster.nodes()}
    hostnames = {node.slot: infos[node.name].hostname for node in nodes}
    with _removed_on_failure(testbed):
        testbed.create(profile, hostnames, image=image)
    return testbed


@contextmanager
def _removed_on_failure(testbed: Testbed) -> Iterator[None]:
    try:
        yield
    except BaseException:
        testbed.delete()
        raise
