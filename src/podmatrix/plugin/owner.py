"""Who owns the run: the only process, or the xdist controller. Workers read what it wrote.

The owner deploys, sweeps and writes the record in `pytest_sessionstart`, before workers start and
before anything is collected; items only assert.
"""

from __future__ import annotations

import os
import signal
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, Any, NoReturn

import pytest

from podmatrix.errors import PodmatrixError, ProfileError, SettingsError, TopologyError
from podmatrix.plugin.options import SETTINGS
from podmatrix.plugin.state import REPORTS, RUN, Run
from podmatrix.settings import Settings

if TYPE_CHECKING:
    from podmatrix.profile import Profile

WORKER_RECORD = "podmatrix_record"
HARNESS_CRASHED = 3


@pytest.hookimpl(tryfirst=True)
def pytest_sessionstart(session: pytest.Session) -> None:
    """Sweep once, or attach to what the owner swept."""
    config = session.config
    settings = config.stash.get(SETTINGS, None)
    if settings is None:
        return
    try:
        config.stash[RUN] = _run(config, settings)
    except (SettingsError, ProfileError, TopologyError) as exc:
        raise pytest.UsageError(str(exc)) from exc
    except PodmatrixError as exc:
        pytest.exit(f"{type(exc).__name__}: {exc}", returncode=HARNESS_CRASHED)


def _run(config: pytest.Config, settings: Settings) -> Run:
    from podmatrix.plan import make_plan, slots_for
    from podmatrix.plugin.judging import judged_run
    from podmatrix.profile import load_profile
    from podmatrix.report.record import load_observations

    worker_record = getattr(config, "workerinput", {}).get(WORKER_RECORD)
    saved = Path(worker_record) if worker_record else settings.record
    if saved is not None:
        info, observations = load_observations(saved)
        profile = load_profile(settings.profile or info.profile)
        if not settings.profile and profile.digest != info.profile_digest:
            raise SettingsError(
                f"{saved}: was made with another profile named {info.profile} than "
                f"{profile.source}; say which one judges it: --matrix-profile=PATH"
            )
        return judged_run(profile, info, observations)
    profile = load_profile(settings.profile)
    if config.option.collectonly:
        from podmatrix.plugin.acceptance import planned_slots

        return Run(plan=make_plan(profile, slots_for(planned_slots(settings))))
    return _sweep(config, settings, profile)


def _sweep(config: pytest.Config, settings: Settings, profile: Profile) -> Run:
    from podmatrix.plugin.acceptance import carry_out
    from podmatrix.report.files import write_reports

    reporter = config.pluginmanager.get_plugin("terminalreporter")

    def progress(line: str) -> None:
        if reporter is not None:
            reporter.ensure_newline()
            reporter.write(f"{line}\n", flush=True)

    def save(run: Run) -> None:
        config.stash[RUN] = run
        folder = config.stash[REPORTS] = write_reports(run.swept, settings.report_dir)
        if not run.swept.run.complete:
            progress(f"cut short: what was seen until then is in {folder}")

    previous = signal.signal(signal.SIGTERM, _as_interrupt)
    try:
        return carry_out(settings, profile, progress=progress, save=save)
    finally:
        signal.signal(signal.SIGTERM, previous)


def _as_interrupt(_signum: int, _frame: FrameType | None) -> NoReturn:
    """SIGTERM ends like Ctrl-C, so that everything that was made is taken down."""
    raise KeyboardInterrupt


@pytest.hookimpl(optionalhook=True)
def pytest_configure_node(node: Any) -> None:  # noqa: ANN401  xdist has no public type for it
    """Tell an xdist worker where the record is."""
    reports = node.config.stash.get(REPORTS, None)
    if reports is not None:
        node.workerinput[WORKER_RECORD] = os.fspath(reports / "report.json")
    elif (settings := node.config.stash.get(SETTINGS, None)) and settings.record:
        node.workerinput[WORKER_RECORD] = os.fspath(settings.record)


@pytest.hookimpl(trylast=True)
def pytest_sessionfinish(session: pytest.Session) -> None:
    """A run that proves nothing is not a success."""
    run = session.config.stash.get(RUN, None)
    if run is None or run.record is None or hasattr(session.config, "workerinput"):
        return
    if run.record.proves_nothing and session.exitstatus == pytest.ExitCode.OK:
        session.exitstatus = pytest.ExitCode.TESTS_FAILED
