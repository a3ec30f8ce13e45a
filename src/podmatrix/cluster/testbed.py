"""The pods of one run: made, waited for, and taken down again whatever happens meanwhile.

Everything made carries the run's label, and is written down before the request that makes it.
Nothing outside the run's namespace is ever created, changed or deleted.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from podmatrix.cluster import objects
from podmatrix.cluster.cleanup import InFlight, remove
from podmatrix.cluster.client import Cluster
from podmatrix.cluster.failures import StatusError
from podmatrix.cluster.manifests import (
    RUN_LABEL,
    nad_manifest,
    namespace_manifest,
    needed_nads,
    pod_manifest,
)
from podmatrix.cluster.readiness import Readiness
from podmatrix.cluster.workers import Limit, in_parallel
from podmatrix.errors import PodmatrixError, TestbedError
from podmatrix.model import LivePod, Node, PodRole
from podmatrix.polling import Deadline, wait_until
from podmatrix.profile import Profile

PARALLEL_REQUESTS = 8
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
        self._in_flight = InFlight()
        self._readiness = Readiness(
            cluster,
            self.namespace,
            self.selector,
            [role.id for role in roles],
            deadline=self._deadline,
            progress=progress,
        )

    @property
    def selector(self) -> str:
        """The label selector of everything this run made."""
        return f"{RUN_LABEL}={self.run_id}"

    def wait_ready(self) -> None:
        """Wait until every pod is ready or the time is over; then `pods` tells which is what.

        Raises ClusterError where the API does not answer.
        """
        self._progress(f"namespace {self.namespace}: {len(self._roles)} pods")
        self.pods = self._readiness.wait()
        ready = sum(not pod.problem for pod in self.pods)
        self._progress(f"{ready} of {len(self.pods)} pods ready")
        problems: dict[str, list[str]] = {}
        for pod in self.pods:
            if pod.problem:
                problems.setdefault(pod.problem, []).append(pod.name)
        for problem, names in problems.items():
            self._progress(f"{', '.join(names)}: {problem}")

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

    def create(self, profile: Profile, hostnames: Mapping[str, str], *, image: str) -> None:
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
        errors = [(name, error) for name, error in results if isinstance(error, PodmatrixError)]
        if errors and len(errors) == len(manifests):
            raise TestbedError(f"no pod could be created: {errors[0][1]}") from errors[0][1]
        for name, error in errors:
            self._readiness.refuse(name, str(error))

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
                "installed; install it, or give a --matrix-profile whose networks need none"
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

    def _note(self, note: str) -> None:
        self.notes += (note,)
        self._progress(note)


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
