"""What holds for all tests of the harness: on CI nothing is skipped for want of something."""

import os
from collections.abc import Generator

import pytest

MAY_BE_ABSENT = ("needs kubectl",)
"""Reasons that CI accepts: what not every distribution has."""


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport() -> Generator[None, pytest.TestReport, pytest.TestReport]:
    report = yield
    _fail_on_ci(report)
    return report


@pytest.hookimpl(wrapper=True)
def pytest_make_collect_report() -> Generator[None, pytest.CollectReport, pytest.CollectReport]:
    report = yield
    _fail_on_ci(report)
    return report


def _fail_on_ci(report: pytest.TestReport | pytest.CollectReport) -> None:
    """Where PODMATRIX_CI is set, a skip for want of a tool, root or namespaces is a failure."""
    if not (os.environ.get("PODMATRIX_CI") and report.skipped):
        return
    if not isinstance(report.longrepr, tuple):
        return
    path, line, message = report.longrepr
    reason = str(message).removeprefix("Skipped: ")
    wanting = reason.startswith("needs ") or "namespaces" in reason
    if wanting and reason not in MAY_BE_ABSENT:
        report.outcome = "failed"
        report.longrepr = f"{path}:{line}: {reason}: on CI this must be there, not skipped"
