"""Short marks for cells: a verdict, and where that is not plain, expected/observed."""

from collections import Counter
from collections.abc import Sequence

from podmatrix.model import Expect, JudgedCell, Outcome, Verdict

VERDICT_MARKS = {
    Verdict.PASS: ".",
    Verdict.FLAKY: "~",
    Verdict.FAIL: "X",
    Verdict.BROKEN: "?",
    Verdict.OBSERVED: "o",
}
ISOLATED = "#"
"""Passed because nothing came through."""

EXPECTED_MARKS = {Expect.REQUIRED: "+", Expect.FORBIDDEN: "-", Expect.OBSERVE: ""}
OBSERVED_MARKS = {
    Outcome.REACHABLE: "+",
    Outcome.LOSSY: "~",
    Outcome.UNREACHABLE: "-",
    Outcome.REJECTED: "x",
    Outcome.TOO_BIG: ">",
    Outcome.NOT_RUN: "?",
}
LEGEND = (
    ". reached as required   # silent as forbidden   X fail   ~ flaky   ? broken   "
    "o observed only   blank: no cell",
    "beside a mark expected/observed: + all answered, ~ some, - silence, x rejected, "
    "> too big, ? not run",
)
SEVERITY = (Verdict.FAIL, Verdict.BROKEN, Verdict.FLAKY, Verdict.OBSERVED, Verdict.PASS)
"""Worst first: a field of several cells is shown by its worst."""


def mark(judged: JudgedCell) -> str:
    """For example `.`, `X +/-` (required, silent), `X -/+` (forbidden, reached), `o -`."""
    expect = judged.expectation.expect
    if judged.verdict is Verdict.PASS:
        return ISOLATED if expect is Expect.FORBIDDEN else VERDICT_MARKS[Verdict.PASS]
    observed = OBSERVED_MARKS[judged.observation.outcome]
    expected = EXPECTED_MARKS[expect]
    pair = f"{expected}/{observed}" if expected else observed
    return f"{VERDICT_MARKS[judged.verdict]} {pair}"


def count_marks(cells: Sequence[JudgedCell]) -> str:
    """Marks of several cells with how often each: `12 .`, or `4 X +/-, 8 .`, worst first."""
    worst_first = sorted(cells, key=lambda judged: SEVERITY.index(judged.verdict))
    counts = Counter(mark(judged) for judged in worst_first)
    return ", ".join(f"{n} {text}" for text, n in counts.items())


def worst(cells: Sequence[JudgedCell]) -> Verdict:
    """The verdict that a field of several cells is coloured by."""
    return min((judged.verdict for judged in cells), key=SEVERITY.index)
