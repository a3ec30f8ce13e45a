"""The page of a run: one file, no script, no network, every string from a cluster escaped."""

from functools import cache

from jinja2 import Environment, PackageLoader, StrictUndefined

from podmatrix.model import JudgedCell
from podmatrix.report.grid import grids
from podmatrix.report.marks import LEGEND, mark
from podmatrix.report.record import WRONG, RunRecord, wrong
from podmatrix.report.text import (
    cell_lines,
    headline,
    nodes_line,
    passed,
    summary_line,
    verdict_line,
    visible,
)


def render_html(record: RunRecord) -> str:
    """The whole run as a self-contained HTML document."""
    return (
        _environment()
        .get_template("report.html.j2")
        .render(
            record=record,
            good=passed(record),
            bad=wrong(record),
            wrong_verdicts=WRONG,
            grids=grids(record.cells),
            legend=LEGEND,
            verdict_line=verdict_line(record),
            summary_line=summary_line(record),
            headline=headline(record),
            nodes_line=nodes_line(record),
        )
    )


@cache
def _environment() -> Environment:
    environment = Environment(
        loader=PackageLoader("podmatrix.report"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
    )
    environment.filters |= {
        "lines": cell_lines,
        "mark": mark,
        "title": _title,
        "value": _value,
        "visible": visible,
    }
    return environment


def _title(judged: JudgedCell) -> str:
    lines = [f"{word}: {text}" for word, text in cell_lines(judged)]
    return "\n".join([judged.cell.id, *lines])


def _value(value: str | int | None) -> str:
    return "" if value is None else visible(value)
