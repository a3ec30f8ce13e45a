"""What a pytest process knows of its run: plan and verdicts, the same in owner and workers.

Imported at every start of pytest, also in projects that only have podmatrix installed: what takes
time to import (profiles, reports, the cluster's client) is imported where a run needs it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from podmatrix.model import JudgedCell, JudgedFact, PreflightResult

if TYPE_CHECKING:
    from podmatrix.plan import Plan
    from podmatrix.report.record import RunRecord


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
REPORTS = pytest.StashKey[Path]()
"""Directory of this run's reports, in the process that owns the run."""
