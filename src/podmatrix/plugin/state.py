"""What a pytest process knows of its run: plan and verdicts, the same in owner and workers."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

import pytest

from podmatrix.expectations import expectations
from podmatrix.judge import judge
from podmatrix.layout import judge_layout
from podmatrix.model import JudgedCell, JudgedFact, Observations, PreflightResult
from podmatrix.plan import Plan, make_plan
from podmatrix.profile import Profile
from podmatrix.report.record import RunInfo, RunRecord


@dataclass(frozen=True)
class Run:
    """A plan and, once the sweep is over, its record. Without a record nothing can be asserted."""

    plan: Plan
    record: RunRecord | None = None

    @cached_property
    def cells(self) -> Mapping[str, JudgedCell]:
        """Verdicts by cell id."""
        return {judged.cell.id: judged for judged in self.swept.cells}

    @cached_property
    def facts(self) -> Mapping[str, JudgedFact]:
        """Verdicts by fact id."""
        return {judged.fact.id: judged for judged in self.swept.layout}

    @cached_property
    def preflight(self) -> Mapping[str, PreflightResult]:
        """Results by name of the precondition; empty where nothing was swept."""
        return {result.check: result for result in self.record.preflight} if self.record else {}

    @property
    def swept(self) -> RunRecord:
        """The record. Raises UsageError in a process that swept nothing."""
        if self.record is None:
            raise pytest.UsageError("nothing was swept in this process: no verdicts to assert")
        return self.record


RUN = pytest.StashKey[Run]()


def judged_run(profile: Profile, info: RunInfo, observations: Observations) -> Run:
    """Plan for the slots that were observed, and judge: pure, so that every process agrees."""
    plan = make_plan(profile, tuple(node.slot for node in observations.nodes))
    record = RunRecord(
        run=info,
        observations=observations,
        preflight=observations.preflight,
        layout=judge_layout(profile, plan.facts, observations),
        cells=judge(plan.cells, expectations(profile, plan.cells), observations.cells),
    )
    return Run(plan=plan, record=record)
