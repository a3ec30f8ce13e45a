"""The plan as text: the matrix that a profile expects, and why, before any cluster is asked."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from textwrap import wrap

from podmatrix.model import Cell, Expectation
from podmatrix.report.grid import grids_of
from podmatrix.report.marks import EXPECTED_MARKS
from podmatrix.report.table import grid_lines

LEGEND = (
    "+ must be reached   - must not be   o only observed   blank: no cell; "
    "the letter leads to the reason below"
)
_OBSERVED = "o"


@dataclass(frozen=True, slots=True)
class _Class:
    """Cells that are expected to show the same for the same reason."""

    letter: str
    expectation: Expectation
    count: int

    @property
    def mark(self) -> str:
        return f"{EXPECTED_MARKS[self.expectation.expect] or _OBSERVED}{self.letter}"


def render_expected(cells: Sequence[Cell], expected: Mapping[str, Expectation]) -> str:
    """The expected matrix with the reason for every class of `cells`. Ends with a newline.

    Pods of a kind stand together; same node and across nodes are apart, as rules tell them apart.
    """
    classes = _classes(cells, expected)
    lines = []

    def field(cells: Sequence[Cell]) -> str:
        found: dict[str, int] = {}
        for cell in cells:
            mark = classes[expected[cell.id]].mark
            found[mark] = found.get(mark, 0) + 1
        return ", ".join(f"{count} {mark}" for mark, count in found.items())

    for grid in grids_of(cells, lambda cell: cell, folded=True):
        lines += [f"{grid.title}: rows send, columns answer", *grid_lines(grid, field), ""]
    lines += [LEGEND, ""]
    for one in classes.values():
        text = f"{one.expectation.expect}, {one.count} cells: {one.expectation.reason}"
        lines += wrap(text, 100, initial_indent=f"{one.letter:>3}  ", subsequent_indent="     ")
    return "\n".join((*lines, ""))


def _classes(
    cells: Sequence[Cell], expected: Mapping[str, Expectation]
) -> dict[Expectation, _Class]:
    counts: dict[Expectation, int] = {}
    for cell in cells:
        counts[expected[cell.id]] = counts.get(expected[cell.id], 0) + 1
    return {
        expectation: _Class(_letter(number), expectation, count)
        for number, (expectation, count) in enumerate(counts.items())
    }


def _letter(number: int) -> str:
    """a, b ... z, then aa, ab ..."""
    more, last = divmod(number, 26)
    return (_letter(more - 1) if more else "") + chr(ord("a") + last)
