"""Rows S05, S13, S15: what must hold before any packet is worth sending."""

from fixtures.check import Check


def test_precondition(preflight_check: str, check: Check) -> None:
    check(preflight_check)
