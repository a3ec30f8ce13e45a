"""The verdict on one layout fact, with what was expected and seen."""

from dataclasses import dataclass

from podmatrix.model import Verdict

Value = str | int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """A verdict; `detail` says why it is not a pass."""

    expected: Value
    observed: Value
    verdict: Verdict
    detail: str = ""


def compare(expected: Value, observed: Value, detail: str) -> Finding:
    """Pass where both are equal, else fail with `detail`."""
    same = expected == observed
    return Finding(
        expected=expected,
        observed=observed,
        verdict=Verdict.PASS if same else Verdict.FAIL,
        detail="" if same else detail,
    )


def fails(expected: Value, observed: Value, problems: list[str]) -> Finding:
    """Fail with all `problems`, pass where there is none."""
    return Finding(
        expected=expected,
        observed=observed,
        verdict=Verdict.FAIL if problems else Verdict.PASS,
        detail="; ".join(problems),
    )


def observed(value: Value, why: str) -> Finding:
    """Nothing to compare with: shown, not judged."""
    return Finding(expected=None, observed=value, verdict=Verdict.OBSERVED, detail=why)


def broken(why: str) -> Finding:
    """Could not be looked at: says nothing about the network."""
    return Finding(expected=None, observed=None, verdict=Verdict.BROKEN, detail=why)
