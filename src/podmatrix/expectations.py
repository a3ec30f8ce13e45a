"""Profile + cells -> the expected matrix, each cell with the sentence it was derived from. Pure."""

from collections.abc import Iterable

from podmatrix.model import Cell, Expect, Expectation
from podmatrix.profile import Profile, Rule, Selector


def expect_cell(profile: Profile, cell: Cell) -> Expectation:
    """What `profile` says of `cell`: the first rule that matches, else the default.

    A control cell is never asserted: nobody declared it, its word only supports others.
    """
    if cell.control:
        return Expectation(
            expect=Expect.OBSERVE, reason="control: planned only to make forbidden cells believable"
        )
    found = profile.rule_for(cell)
    if found is None:
        return Expectation(
            expect=profile.default,
            reason=f"no rule of profile {profile.name} matches, its default is {profile.default}",
        )
    index, rule = found
    where = f"rule {index + 1} of profile {profile.name}, {_sides(rule)}"
    return Expectation(
        expect=rule.expect, reason=f"{rule.reason} ({where})" if rule.reason else where
    )


def expectations(profile: Profile, cells: Iterable[Cell]) -> dict[str, Expectation]:
    """The expectation of every cell by its id."""
    return {cell.id: expect_cell(profile, cell) for cell in cells}


def _sides(rule: Rule) -> str:
    return f"from {_side(rule.from_)} to {_side(rule.to)}"


def _side(selector: Selector) -> str:
    parts = selector.model_dump(mode="json", exclude_none=True)
    return " ".join(f"{key} {value}" for key, value in parts.items()) or "anything"
