"""Rows S06, S08, S09: every ordered pair of the matrix, same node and across nodes."""

from fixtures.check import Check
from podmatrix.model import Cell


def test_reachability(cell: Cell, check: Check) -> None:
    check(cell)
