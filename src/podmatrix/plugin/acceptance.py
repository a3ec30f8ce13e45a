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
from pathlib import Path

from podmatrix import __version__
from podmatrix.cluster.client import Cluster, NodeInfo, connect
from podmatrix.cluster.preflight import preflight
from podmatrix.cluster.sweep import SweepResult, sweep
from podmatrix.cluster.testbed import deploy
from podmatrix.errors import SettingsError
from podmatrix.expectations import expectations
from podmatrix.judge import again, judge
from podmatrix.lab.launch import start_lab
from podmatrix.lab.topology import Topology, load_topology
from podmatrix.model import Node, Observation, Observations
from podmatrix.plan import Plan, make_plan, slots_for
from podmatrix.plugin.state import Run, judged_run
from podmatrix.profile import Profile
from podmatrix.report.record import RunInfo
from podmatrix.settings import NodeChoice, Settings, Target

Progress = Callable[[str], None]


def planned_slots(settings: Settings) -> int:
    """How many node slots the plan has. Asks the cluster only where `all` of its nodes are meant."""
    count = settings.nodes.count
    if settings.target is Target.LAB:
        return min(count or len(_topology(settings).nodes), len(_topology(settings).nodes))
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
        self._see(pods=testbed.pods, notes=testbed.notes)
        self._sweep(testbed, plan)
