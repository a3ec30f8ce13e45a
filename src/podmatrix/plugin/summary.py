"""What a run tells at its end: the table, and where the reports are. Written by the owner alone."""

import pytest

from podmatrix.plugin.state import REPORTS, RUN

WRONG_CELLS_SHOWN = 20
"""More would flood a CI log; matrix.txt spells out all of them."""


def pytest_terminal_summary(
    terminalreporter: pytest.TerminalReporter, config: pytest.Config
) -> None:
    """Print expected and observed, the wrong cells spelled out, and the report paths."""
    run = config.stash.get(RUN, None)
    if run is None or run.record is None or hasattr(config, "workerinput"):
        return
    from podmatrix.report.table import render_text

    writer = config.get_terminal_writer()
    terminalreporter.section("podmatrix")
    text = render_text(
        run.record, width=writer.fullwidth, color=writer.hasmarkup, limit=WRONG_CELLS_SHOWN
    )
    terminalreporter.write(text.rstrip("\n") + "\n")
    reports = config.stash.get(REPORTS, None)
    if reports is not None:
        terminalreporter.write_line(f"reports: {reports / 'report.html'}")
