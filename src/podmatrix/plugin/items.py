"""One pytest item per cell, layout fact and preflight check.

Collection is pure and the same everywhere: it depends on the profile and on the slots alone, and
for preflight on the rows that the owner of the run has checked.
"""

import pytest

from podmatrix.plugin.state import RUN


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Parametrize the tests of the suites that ask for a cell, a fact or a check."""
    run = metafunc.config.stash.get(RUN, None)
    if run is None:
        return
    if "cell" in metafunc.fixturenames:
        cells = run.plan.cells
        metafunc.parametrize("cell", cells, ids=[cell.id for cell in cells])
    if "layout_fact" in metafunc.fixturenames:
        facts = run.plan.facts
        metafunc.parametrize("layout_fact", facts, ids=[fact.id for fact in facts])
    if "preflight_check" in metafunc.fixturenames:
        checks = list(run.preflight)
        metafunc.parametrize("preflight_check", checks, ids=checks)
