"""One acceptance run from settings to record: cluster, preflight, testbed, sweep, verdicts.

No pytest here. Whatever happens, what was made is taken down again, and what was seen is saved with
every cell present.
"""

import secrets
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import replace
from datetime import UTC, datetime
from importlib import import_module
from pathlib import Path
from typing import Any

from podmatrix import __version__
from podmatrix.cluster.client import Cluster, NodeInfo, connect
from podmatrix.cluster.preflight import preflight
from podmatrix.cluster.sweep import sweep
from podmatrix.cluster.testbed import Testbed, deploy
from podmatrix.errors import SettingsError
from podmatrix.expectations import expectations
from podmatrix.judge import again, judge
from podmatrix.lab.launch import start_lab
from podmatrix.lab.topology import Topology, load_topology
from podmatrix.model import LivePod, Node, Observation, Observations
from podmatrix.plan import Plan, make_plan, slots_for
from podmatrix.plugin.judging import judged_run
from podmatrix.plugin.state import Run
from podmatrix.profile import Profile
from podmatrix.report.record import RunInfo
from podmatrix.settings import NodeChoice, Settings, Target

Progress = Callable[[str], None]


def planned_slots(settings: Settings) -> int:
    """How many node slots the plan has. Asks the cluster only where `all` its nodes are meant."""
    count = settings.nodes.count
    if settings.target is Target.LAB:
        nodes = len(topology_of(settings).nodes)
        return nodes if count is None else min(count, nodes)
    if count is not None:
        return count
    return len(_choose(_connect(settings, settings.kubeconfig).nodes(), settings.nodes))


def carry_out(
    settings: Settings, profile: Profile, *, progress: Progress, save: Callable[[Run], None]
) -> Run:
    """Deploy, sweep, judge, take down; `save` gets the judged run before the testbed goes.

    Raises PodmatrixError where nothing could be observed. An interrupt saves an incomplete run.
    """
    started, clock = datetime.now(UTC), time.monotonic()
    run_id = f"{started:%Y%m%d-%H%M%S}-{secrets.token_hex(2)}"
    observer = _Observer(settings, profile, run_id, progress)

    def judged(*, complete: bool) -> Run:
        info = RunInfo(
            id=run_id,
            started=started.isoformat(timespec="seconds").replace("+00:00", "Z"),
            duration_s=round(time.monotonic() - clock, 3),
            target=settings.target.value,
            server_version=observer.observations.server_version,
            profile=profile.name,
            podmatrix=__version__,
            complete=complete,
            profile_digest=profile.digest,
        )
        return judged_run(profile, info, replace(observer.observations, complete=complete))

    with ExitStack() as stack:
        try:
            observer.observe(stack)
        except BaseException:
            if observer.observations.nodes:
                save(judged(complete=False))
            raise
        run = judged(complete=True)
        save(run)
        return run


class _Observer:
    """Collects what one run sees, so that an interrupted one still tells what it saw so far."""

    def __init__(
        self, settings: Settings, profile: Profile, run_id: str, progress: Progress
    ) -> None:
        self.settings = settings
        self.profile = profile
        self.run_id = run_id
        self.progress = progress
        self.observations = Observations(nodes=(), complete=False)

    def observe(self, stack: ExitStack) -> None:
        """Fill `observations`; what it makes is undone by `stack`."""
        settings = self.settings
        cluster = _connect(settings, _kubeconfig(settings, stack, self.progress))
        nodes = _choose(cluster.nodes(), settings.nodes)
        self.progress(f"nodes: {', '.join(f'{node.slot}={node.name}' for node in nodes)}")
        plan = make_plan(self.profile, tuple(node.slot for node in nodes))
        self.observations = replace(
            self.observations, nodes=nodes, server_version=cluster.server_version
        )
        self._see(preflight=preflight(cluster, self.profile, nodes))
        testbed = deploy(
            cluster,
            self.profile,
            plan.roles,
            nodes,
            run_id=self.run_id,
            namespace=settings.namespace,
            image=settings.image,
            timeout_s=settings.timeout_s,
            progress=self.progress,
        )
        if not settings.keep:
            stack.callback(testbed.delete)
        testbed.wait_ready()
        self._see(pods=tuple(self._pinned(pod) for pod in testbed.pods), notes=testbed.notes)
        self._sweep(testbed, plan)

    def _sweep(self, testbed: Testbed, plan: Plan) -> None:
        expected = expectations(self.profile, plan.cells)

        def once_more(seen: Sequence[Observation]) -> frozenset[str]:
            return again(judge(plan.cells, expected, seen))

        result = sweep(
            testbed.cluster,
            self.observations.pods,
            plan.cells,
            roles=plan.roles,
            timeout_s=self.settings.timeout_s,
            attempts=self.settings.attempts,
            again=once_more,
            progress=self.progress,
        )
        self._see(cells=result.cells, layouts=result.layouts, execs=result.execs)

    def _pinned(self, pod: LivePod) -> LivePod:
        """A pod on another node than its slot's cannot be asked that slot's questions."""
        wanted = next(n.name for n in self.observations.nodes if pod.role_id.endswith(f"-{n.slot}"))
        if pod.problem or pod.node_name == wanted:
            return pod
        return replace(pod, problem=f"it was pinned to {wanted} and runs on {pod.node_name}")

    def _see(self, **changes: Any) -> None:  # noqa: ANN401  fields of Observations
        self.observations = replace(self.observations, **changes)


def _kubeconfig(settings: Settings, stack: ExitStack, progress: Progress) -> Path | None:
    """The kubeconfig to use; starts the lab where the run is on the lab."""
    if settings.target is not Target.LAB:
        return settings.kubeconfig
    # The client takes half a second to import; meanwhile the lab comes up in a process of its own.
    threading.Thread(target=lambda: import_module("kubernetes.client"), daemon=True).start()
    starting = start_lab(
        topology_of(settings), progress=lambda what: progress(f"lab: waiting for {what}")
    )
    lab = stack.enter_context(starting)
    return lab.kubeconfig


def topology_of(settings: Settings) -> Topology:
    """The lab that was asked for. Raises TopologyError."""
    topology = load_topology(settings.lab_topology)
    return topology.with_nodes(settings.lab_nodes) if settings.lab_nodes else topology


def _connect(settings: Settings, kubeconfig: Path | None) -> Cluster:
    return connect(kubeconfig=kubeconfig, context=settings.context, in_cluster=settings.in_cluster)


def _choose(infos: Sequence[NodeInfo], choice: NodeChoice) -> tuple[Node, ...]:
    """Ready, schedulable nodes for the slots, in the order of their names or as named.

    Raises SettingsError where there are not as many.
    """
    usable = {info.name: info for info in infos if info.ready and info.schedulable}
    for name in choice.names:
        if name not in usable:
            known = ", ".join(usable) or "none"
            raise SettingsError(
                f"--matrix-nodes: {name} is no ready and schedulable node; there are: {known}"
            )
    names = choice.names or tuple(usable)[: choice.count]
    if not names or (choice.count is not None and len(names) < choice.count):
        raise SettingsError(
            f"--matrix-nodes={choice.count or 'all'}: of {len(infos)} nodes {len(usable)} are "
            f"ready and schedulable ({', '.join(usable) or 'none'}); ask for fewer"
        )
    return tuple(
        Node(
            slot=slot,
            name=name,
            internal_ip=usable[name].internal_ip,
            pod_cidrs=usable[name].pod_cidrs,
        )
        for slot, name in zip(slots_for(len(names)), names, strict=True)
    )
