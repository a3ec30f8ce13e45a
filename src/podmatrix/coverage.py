"""Whether a run asserted anything at all: a green run that looked at nothing is a false one."""

from collections.abc import Iterable

from podmatrix.model import Expect, JudgedCell, Outcome


def proves_nothing(judged: Iterable[JudgedCell]) -> str:
    """Why a run with these verdicts proves nothing; empty where it proves something."""
    cells = [j for j in judged if not j.cell.control]
    asserted = [j for j in cells if j.expectation.expect is not Expect.OBSERVE]
    if not cells:
        return "no cell was planned; declare at least two pods"
    if not asserted:
        return f"all {len(cells)} cells are only observed; declare some as required or forbidden"
    if all(j.observation.outcome is Outcome.NOT_RUN for j in asserted):
        cause = asserted[0].why
        return f"none of the {len(asserted)} cells that are asserted was probed; first: {cause}"
    return ""
