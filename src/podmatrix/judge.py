"""Expected + observed -> verdicts: the one place where the verdict table stands. Pure.

    expectation  reachable       lossy     unreachable, rejected  too_big   not_run
    required     pass, or flaky  flaky     fail                   fail      broken
    forbidden    fail            fail      pass, or broken where  fail      broken
                                           a control is missing
    observe      observed        observed  observed               observed  observed

Only ICMP is probed, so `rejected` is always an ICMP error, never the destination's own answer.
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence

from podmatrix.controls import ControlKey, destination_key, source_key
from podmatrix.coverage import proves_nothing
from podmatrix.errors import JudgeError
from podmatrix.model import (
    Cell,
    Expect,
    Expectation,
    JudgedCell,
    Observation,
    Outcome,
    Verdict,
)

__all__ = ["again", "judge", "proves_nothing", "rule", "trusted"]

SILENT = frozenset({Outcome.UNREACHABLE, Outcome.REJECTED})
"""Outcomes that mean isolation, where the controls hold."""

GOT_THROUGH = frozenset({Outcome.REACHABLE, Outcome.LOSSY, Outcome.TOO_BIG})
"""Outcomes that refute isolation, in whatever round they came."""

Ruling = tuple[Verdict, str]
"""A verdict, and why it is that one."""


def judge(
    cells: Sequence[Cell],
    expectations: Mapping[str, Expectation],
    observations: Iterable[Observation],
) -> tuple[JudgedCell, ...]:
    """Judge every cell exactly once, in the order of the plan.

    A cell that nobody observed is `not_run`. Raises JudgeError where observations are of no cell
    of the plan or two are of one cell, or where a cell has no expectation.
    """
    observed = _by_cell(cells, expectations, observations)
    controls = Controls(cells, observed)
    judged = []
    for cell in cells:
        expectation, observation = expectations[cell.id], observed[cell.id]
        missing = controls.missing(cell) if expectation.expect is Expect.FORBIDDEN else ""
        verdict, why = rule(expectation.expect, observation, missing_control=missing)
        judged.append(
            JudgedCell(
                cell=cell,
                expectation=expectation,
                observation=observation,
                verdict=verdict,
                why=why,
            )
        )
    return tuple(judged)


def rule(expect: Expect, observation: Observation, *, missing_control: str) -> Ruling:
    """One field of the verdict table. `missing_control` says which control does not hold, if any.

    An observation that contradicts itself has no say: its outcome counts as not run.
    """
    outcome, doubt = trusted(observation)
    match expect:
        case Expect.REQUIRED:
            return _rule_required(outcome, doubt, observation)
        case Expect.FORBIDDEN:
            return _rule_forbidden(outcome, doubt, observation, missing_control)
        case Expect.OBSERVE:
            return Verdict.OBSERVED, doubt or ("not run" if outcome is Outcome.NOT_RUN else "")


def trusted(observation: Observation) -> tuple[Outcome, str]:
    """The outcome that may be judged, and why it is not the one that was observed ("" if it is)."""
    o = observation
    doubts = {
        "reachable, yet not every packet was answered": (
            o.outcome is Outcome.REACHABLE and o.received < max(o.sent, 1)
        ),
        "lossy, yet no packet was answered": o.outcome is Outcome.LOSSY and o.received < 1,
        f"{o.outcome}, yet packets were answered": o.outcome in SILENT and o.received > 0,
        "the rounds do not add up": o.attempts != len(o.earlier) + 1,
    }
    found = next((doubt for doubt, holds in doubts.items() if holds), "")
    if not found:
        return o.outcome, ""
    numbers = f"{o.received} of {o.sent} answered, round {o.attempts}, earlier {len(o.earlier)}"
    return Outcome.NOT_RUN, f"the observation contradicts itself: {found} ({numbers})"


def _rule_required(outcome: Outcome, doubt: str, observation: Observation) -> Ruling:
    rounds = ", ".join((*observation.earlier, outcome))
    match outcome:
        case Outcome.REACHABLE if all(o is Outcome.REACHABLE for o in observation.earlier):
            return Verdict.PASS, ""
        case Outcome.REACHABLE:
            return Verdict.FLAKY, f"not in every round: {rounds}"
        case Outcome.LOSSY:
            return Verdict.FLAKY, f"{observation.received} of {observation.sent} packets answered"
        case Outcome.UNREACHABLE | Outcome.REJECTED | Outcome.TOO_BIG:
            return Verdict.FAIL, f"rounds: {rounds}"
        case Outcome.NOT_RUN:
            return Verdict.BROKEN, doubt or _not_run(observation)


def _rule_forbidden(
    outcome: Outcome, doubt: str, observation: Observation, missing_control: str
) -> Ruling:
    outcomes = (*observation.earlier, outcome)
    through = [o for o in outcomes if o in GOT_THROUGH]
    if through or observation.received > 0:
        return Verdict.FAIL, f"isolation is broken: {through[0] if through else 'answers came'}"
    if doubt or Outcome.NOT_RUN in outcomes:
        return Verdict.BROKEN, doubt or _not_run(observation)
    if missing_control:
        return Verdict.BROKEN, f"unproven: {missing_control}"
    return Verdict.PASS, f"{outcome}, and both ends were heard elsewhere"


def _not_run(observation: Observation) -> str:
    return f"not run: {observation.detail or 'no cause given'}"


class Controls:
    """Who was heard in the first round: forbidden cells are probed in that one only."""

    def __init__(self, cells: Iterable[Cell], observed: Mapping[str, Observation]) -> None:
        self._possible: Counter[tuple[str, ControlKey]] = Counter()
        self._heard: set[tuple[str, ControlKey]] = set()
        self._lossy: set[tuple[str, ControlKey]] = set()
        for cell in cells:
            ends = {("source", source_key(cell)), ("destination", destination_key(cell))}
            self._possible.update(ends)
            match _first_outcome(observed[cell.id]):
                case Outcome.REACHABLE:
                    self._heard |= ends
                case Outcome.LOSSY:
                    self._lossy |= ends

    def missing(self, cell: Cell) -> str:
        """Which end of `cell` was not heard, or not well, elsewhere; empty where both were."""
        how = f"{cell.relation} {cell.probe}{cell.family}"
        for end, key, done in (
            (("source", source_key(cell)), cell.source.id, "reached nothing"),
            (("destination", destination_key(cell)), cell.destination.id, "was reached by nothing"),
        ):
            if end in self._lossy:
                return f"{key} lost packets in the same sweep by {how}: silence may be loss, too"
            if end in self._heard:
                continue
            others = self._possible[end] - 1
            return (
                f"{key} {done} in the same sweep by {how} ({others} other cells)"
                if others
                else f"no other cell of the plan can show that {key} answers {how} probes"
            )
        return ""


def _first_outcome(observation: Observation) -> Outcome:
    outcome, _ = trusted(observation)
    return (*observation.earlier, outcome)[0]


def again(judged: Iterable[JudgedCell]) -> frozenset[str]:
    """Ids of the cells to probe in another round: required ones that failed or were lossy.

    A forbidden cell is never among them: another round could only hide what came through.
    """
    return frozenset(
        j.cell.id
        for j in judged
        if j.expectation.expect is Expect.REQUIRED
        and trusted(j.observation)[0] in SILENT | {Outcome.LOSSY, Outcome.TOO_BIG}
    )


def _by_cell(
    cells: Sequence[Cell],
    expectations: Mapping[str, Expectation],
    observations: Iterable[Observation],
) -> dict[str, Observation]:
    """One observation for each cell, `not_run` where there is none. Raises JudgeError."""
    ids = [cell.id for cell in cells]
    given = list(observations)
    counts = Counter(observation.cell_id for observation in given)
    problems = {
        "planned twice": [name for name, n in Counter(ids).items() if n > 1],
        "observed twice": [name for name, n in counts.items() if n > 1],
        "observed but not in the plan": sorted(counts.keys() - set(ids)),
        "without an expectation": [name for name in ids if name not in expectations],
    }
    for what, names in problems.items():
        if names:
            raise JudgeError(
                f"cells {what}: {', '.join(names[:5])}{' ...' if len(names) > 5 else ''}; "
                "judge with the profile and the nodes that the sweep was planned with"
            )
    nothing = {
        name: Observation(cell_id=name, outcome=Outcome.NOT_RUN, detail="no observation")
        for name in ids
    }
    return nothing | {observation.cell_id: observation for observation in given}
