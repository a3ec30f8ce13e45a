"""Observations -> a judged run. Pure, so that owner, workers and saved records agree."""

from podmatrix.expectations import expectations
from podmatrix.judge import judge
from podmatrix.layout import judge_layout
from podmatrix.model import Observations
from podmatrix.plan import make_plan
from podmatrix.plugin.state import Run
from podmatrix.profile import Profile
from podmatrix.report.record import RunInfo, RunRecord


def judged_run(profile: Profile, info: RunInfo, observations: Observations) -> Run:
    """Plan for the slots that were observed, and judge.

    Raises JudgeError where the observations are of another profile's plan.
    """
    plan = make_plan(profile, tuple(node.slot for node in observations.nodes))
    record = RunRecord(
        run=info,
        observations=observations,
        preflight=observations.preflight,
        layout=judge_layout(profile, plan.facts, observations),
        cells=judge(plan.cells, expectations(profile, plan.cells), observations.cells),
    )
    return Run(plan=plan, record=record)
