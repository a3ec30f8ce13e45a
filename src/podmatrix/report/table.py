"""The terminal's view of a run: the matrix, then only what is wrong, then the counts."""

from collections.abc import Callable, Iterator, Sequence
from textwrap import wrap

from tabulate import tabulate

from podmatrix.model import JudgedCell, Verdict
from podmatrix.report.grid import Grid, T, grids
from podmatrix.report.marks import LEGEND, count_marks, mark, worst
from podmatrix.report.record import RunRecord, Wrong, wrong
from podmatrix.report.text import (
    cell_lines,
    fact_line,
    headline,
    nodes_line,
    passed,
    summary_line,
    verdict_line,
    visible,
)

RESET = "\x1b[0m"
COLORS = {
    Verdict.PASS: "\x1b[32m",
    Verdict.FLAKY: "\x1b[1;33m",
    Verdict.FAIL: "\x1b[1;31m",
    Verdict.BROKEN: "\x1b[1;35m",
    Verdict.OBSERVED: "\x1b[36m",
}

Paint = Callable[[str, Verdict], str]


def render_text(record: RunRecord, *, width: int, color: bool, limit: int | None = None) -> str:
    """The whole run as text, `width` columns wide where the matrix fits or can be folded to fit.

    At most `limit` wrong cells are spelled out, all without it. Ends with a newline.
    """

    def paint(text: str, verdict: Verdict) -> str:
        return f"{COLORS[verdict]}{text}{RESET}" if color else text

    bad = wrong(record)
    heading = f"nodes: {nodes_line(record)}"
    sections = [
        [headline(record), *wrap(heading, width, subsequent_indent="  ")],
        *_matrix(record, width, paint),
        list(LEGEND) if record.cells else [],
        list(_wrong_cells(bad, limit, paint)),
        list(_wrong_facts(bad, paint)),
        list(_wrong_preflight(bad, paint)),
        [
            f"skipped  {visible(result.check)}: {visible(result.detail)}"
            for result in record.preflight
            if result.skipped
        ],
        [f"note: {visible(note)}" for note in record.observations.notes],
        [
            summary_line(record),
            paint(verdict_line(record), Verdict.PASS if passed(record) else Verdict.FAIL),
        ],
    ]
    return "\n\n".join("\n".join(lines) for lines in sections if lines) + "\n"


def _matrix(record: RunRecord, width: int, paint: Paint) -> Iterator[list[str]]:
    folded = grids(record.cells, folded=True)
    for grid, small in zip(grids(record.cells), folded, strict=True):
        lines = grid_lines(grid, lambda cells: _field(cells, paint))
        if _width(grid_lines(grid, lambda cells: _field(cells, _plain))) > width:
            lines = grid_lines(small, lambda cells: _field(cells, paint))
        yield [f"{grid.title}: rows send, columns answer", *lines]


def grid_lines(grid: Grid[T], field: Callable[[Sequence[T]], str]) -> list[str]:
    """A grid as a table; `field` writes what stands at one place."""
    rows = [
        [row.label, *(field(grid.at(row, column)) for column in grid.columns)] for row in grid.rows
    ]
    headers = ["", *("\n".join((c.kind, c.slot, c.interface)) for c in grid.columns)]
    if all(not column.slot for column in grid.columns):
        headers = ["", *("\n".join((c.kind, c.interface)) for c in grid.columns)]
    align = ["left", *("center" for _ in grid.columns)]
    text = tabulate(rows, headers, tablefmt="simple", disable_numparse=True, colalign=align)
    return text.splitlines()


def _field(cells: Sequence[JudgedCell], paint: Paint) -> str:
    if not cells:
        return ""
    text = mark(cells[0]) if len(cells) == 1 else count_marks(cells)
    return paint(text, worst(cells))


def _plain(text: str, _verdict: Verdict) -> str:
    return text


def _width(lines: Sequence[str]) -> int:
    return max((len(line.rstrip()) for line in lines), default=0)


def _wrong_cells(bad: Wrong, limit: int | None, paint: Paint) -> Iterator[str]:
    shown = bad.cells if limit is None else bad.cells[:limit]
    if shown:
        yield f"wrong cells ({len(bad.cells)}):"
    for judged in shown:
        yield f"{paint(judged.verdict.value.upper(), judged.verdict)}  {judged.cell.id}"
        yield from (f"  {word:<9} {text}" for word, text in cell_lines(judged))
    if len(shown) < len(bad.cells):
        yield f"... and {len(bad.cells) - len(shown)} more: see matrix.txt and report.html"


def _wrong_facts(bad: Wrong, paint: Paint) -> Iterator[str]:
    if bad.layout:
        yield f"wrong layout facts ({len(bad.layout)}):"
    for judged in bad.layout:
        verdict = paint(judged.verdict.value.upper(), judged.verdict)
        yield f"{verdict}  {judged.fact.id}"
        yield f"  {fact_line(judged)}"


def _wrong_preflight(bad: Wrong, paint: Paint) -> Iterator[str]:
    if bad.preflight:
        yield f"wrong preflight checks ({len(bad.preflight)}):"
    for result in bad.preflight:
        verdict = paint(result.verdict.value.upper(), result.verdict)
        yield f"{verdict}  {visible(result.check)}"
        yield f"  {visible(result.detail)}"
