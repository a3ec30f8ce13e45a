"""Positive controls: which cells can show that a silent cell was silent for a reason.

Silence proves isolation only where both ends were heard elsewhere in the same sweep, with the same
probe, family and node relation. The relation is that of the very nodes: with three of them, the
third could otherwise vouch for two between which every packet is lost. A cell is a control of
another exactly where their keys are equal.
"""

from podmatrix.model import Attachment, Cell, ProbeKind

ControlKey = tuple[Attachment, ProbeKind, int, str]
"""One end; probe; family; the node slot of the other end."""


def source_key(cell: Cell) -> ControlKey:
    """Equal where the one cell's source, probing alike, was heard in the other.

    A natural source is told apart by the network its routes lead to, a bound one by its interface.
    """
    return cell.source, cell.probe, cell.family, cell.destination.slot


def destination_key(cell: Cell) -> ControlKey:
    """Equal where the one cell's destination, probed alike, answered in the other."""
    return cell.destination, cell.probe, cell.family, cell.source.slot
