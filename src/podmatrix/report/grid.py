"""The matrix as rows and columns: the same for terminal and page.

One grid for each probe and family. A grid that is too wide is shown folded: pods of a kind
together, same node and cross node apart, because that is where networks differ.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

from podmatrix.model import Cell, JudgedCell, Mode, Relation

T = TypeVar("T")
"""What stands in a field: judged cells after a run, cells with their expectation before one."""


@dataclass(frozen=True, slots=True)
class Row:
    """Who sends: a pod whose routes choose, or one bound interface. `slot` "" in a folded grid."""

    kind: str
    slot: str
    interface: str
    mode: Mode
    relation: Relation | None = None

    @property
    def label(self) -> str:
        """For example `dual-a`, `dual-a net1 bound`, `dual cross-node`."""
        name = f"{self.kind}-{self.slot}" if self.slot else self.kind
        parts = [name, self.interface, "bound" if self.mode is Mode.BOUND else ""]
        return " ".join(part for part in (*parts, self.relation or "") if part)


@dataclass(frozen=True, slots=True)
class Column:
    """Who is aimed at. `slot` and `interface` may be ""."""

    kind: str
    slot: str
    interface: str

    @property
    def pod(self) -> str:
        """For example `dual-b`; the kind alone in a folded grid."""
        return f"{self.kind}-{self.slot}" if self.slot else self.kind


@dataclass(frozen=True, slots=True)
class Grid(Generic[T]):
    """All cells of one probe and family; a field is empty where nothing was planned."""

    title: str
    rows: tuple[Row, ...]
    columns: tuple[Column, ...]
    fields: Mapping[tuple[Row, Column], tuple[T, ...]]

    def at(self, row: Row, column: Column) -> tuple[T, ...]:
        """The cells of one field."""
        return self.fields.get((row, column), ())


def grids(cells: Sequence[JudgedCell], *, folded: bool = False) -> tuple[Grid[JudgedCell], ...]:
    """One grid for each probe and family, in the order of the cells: natural rows, then bound."""
    return grids_of(cells, lambda judged: judged.cell, folded=folded)


def grids_of(
    items: Sequence[T], cell_of: Callable[[T], Cell], *, folded: bool
) -> tuple[Grid[T], ...]:
    """The same of anything that belongs to a cell each."""
    parts: dict[str, list[tuple[Cell, T]]] = {}
    for item in items:
        cell = cell_of(item)
        parts.setdefault(f"{cell.probe} over IPv{cell.family}", []).append((cell, item))
    return tuple(_grid(title, its, folded) for title, its in parts.items())


def _grid(title: str, items: Iterable[tuple[Cell, T]], folded: bool) -> Grid[T]:
    fields: dict[tuple[Row, Column], list[T]] = {}
    for cell, item in items:
        fields.setdefault((_row(cell, folded), _column(cell, folded)), []).append(item)
    rows = _together(dict.fromkeys(row for row, _ in fields))
    # No pod aims at itself, so the first pod would be the second column: order them as senders are.
    senders = list(dict.fromkeys((row.kind, row.slot) for row in rows))
    columns = sorted(
        dict.fromkeys(column for _, column in fields),
        key=lambda column: senders.index((column.kind, column.slot)),
    )
    return Grid(
        title=title,
        rows=rows,
        columns=tuple(columns),
        fields={place: tuple(its) for place, its in fields.items()},
    )


def _together(rows: Iterable[Row]) -> tuple[Row, ...]:
    """Rows that differ in the relation alone stand together, same node first."""
    given = list(rows)
    order = [(row.mode, row.kind, row.slot, row.interface) for row in given]
    relations = [None, *Relation]
    return tuple(
        sorted(
            given,
            key=lambda row: (
                order.index((row.mode, row.kind, row.slot, row.interface)),
                relations.index(row.relation),
            ),
        )
    )


def _row(cell: Cell, folded: bool) -> Row:
    source = cell.source
    return Row(
        kind=source.kind,
        slot="" if folded else source.slot,
        interface=source.interface or "",
        mode=cell.mode,
        relation=cell.relation if folded else None,
    )


def _column(cell: Cell, folded: bool) -> Column:
    end = cell.destination
    return Column(kind=end.kind, slot="" if folded else end.slot, interface=end.interface or "")
