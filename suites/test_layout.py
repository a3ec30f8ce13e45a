"""Rows S01-S04, S16: interfaces, addresses, MTUs, routes and nodes of the probe pods."""

from fixtures.check import Check
from podmatrix.model import LayoutFact


def test_layout(layout_fact: LayoutFact, check: Check) -> None:
    check(layout_fact)
