from collections.abc import Sequence

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from podmatrix.expectations import expectations
from podmatrix.judge import again, judge, proves_nothing, rule
from podmatrix.model import Cell, Expect, JudgedCell, Observation, Outcome, Verdict
from podmatrix.plan import make_plan
from podmatrix.report.record import WRONG
from tests.samples import isolated

PROFILE = isolated()
CELLS = make_plan(PROFILE, ("a", "b")).cells
EXPECTED = expectations(PROFILE, CELLS)
IDS = [cell.id for cell in CELLS]

# A loaded machine is no finding.
unhurried = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])


@st.composite
def any_observation(draw: st.DrawFn, cell_id: str = "x") -> Observation:
    earlier = tuple(draw(st.lists(st.sampled_from(Outcome), max_size=2)))
    return Observation(
        cell_id=cell_id,
        outcome=draw(st.sampled_from(Outcome)),
        sent=draw(st.integers(0, 3)),
        received=draw(st.integers(0, 3)),
        attempts=draw(st.sampled_from([len(earlier) + 1, 1, 2])),
        earlier=earlier,
    )


@st.composite
def any_sweep(draw: st.DrawFn) -> list[Observation]:
    """Mostly a network that keeps its two halves apart, with arbitrary things in some places."""
    odd = draw(st.sets(st.sampled_from(IDS), max_size=30))
    lost = draw(st.sets(st.sampled_from(IDS), max_size=10))
    return [
        draw(any_observation(cell.id)) if cell.id in odd else plain(cell)
        for cell in CELLS
        if cell.id not in lost
    ]


def plain(cell: Cell) -> Observation:
    silent = EXPECTED[cell.id].expect is Expect.FORBIDDEN
    return Observation(
        cell_id=cell.id,
        outcome=Outcome.UNREACHABLE if silent else Outcome.REACHABLE,
        sent=3,
        received=0 if silent else 3,
    )


def heard(judged: Sequence[JudgedCell], cell: Cell) -> tuple[bool, bool]:
    """Whether source and destination were heard elsewhere: told anew, without the judge's code."""
    firsts = [
        j.cell
        for j in judged
        if (*j.observation.earlier, j.observation.outcome)[0] is Outcome.REACHABLE
        and j.cell.id != cell.id
        and (j.cell.probe, j.cell.family) == (cell.probe, cell.family)
        and (j.cell.source.slot == j.cell.destination.slot)
        == (cell.source.slot == cell.destination.slot)
    ]
    return (
        any(other.source == cell.source for other in firsts),
        any(other.destination == cell.destination for other in firsts),
    )


@unhurried
@given(any_sweep())
def test_every_cell_is_judged_exactly_once(sweep: list[Observation]) -> None:
    assert [j.cell.id for j in judge(CELLS, EXPECTED, sweep)] == IDS


@unhurried
@given(any_sweep())
def test_isolation_is_never_believed_without_silence_and_both_controls(
    sweep: list[Observation],
) -> None:
    judged = judge(CELLS, EXPECTED, sweep)
    for j in judged:
        if j.expectation.expect is Expect.FORBIDDEN and j.verdict is Verdict.PASS:
            outcomes = {*j.observation.earlier, j.observation.outcome}
            assert outcomes <= {Outcome.UNREACHABLE, Outcome.REJECTED}
            assert j.observation.received == 0
            assert heard(judged, j.cell) == (True, True)


@unhurried
@given(any_sweep())
def test_a_required_cell_passes_only_where_every_round_was_whole(
    sweep: list[Observation],
) -> None:
    for j in judge(CELLS, EXPECTED, sweep):
        if j.expectation.expect is Expect.REQUIRED and j.verdict is Verdict.PASS:
            assert {*j.observation.earlier, j.observation.outcome} == {Outcome.REACHABLE}
            assert j.observation.received >= max(j.observation.sent, 1)


@unhurried
@given(any_sweep())
def test_what_is_not_a_pass_has_a_reason(sweep: list[Observation]) -> None:
    assert all(j.why for j in judge(CELLS, EXPECTED, sweep) if j.verdict in WRONG)


@unhurried
@given(any_sweep())
def test_only_required_cells_are_probed_again(sweep: list[Observation]) -> None:
    judged = judge(CELLS, EXPECTED, sweep)
    assert {EXPECTED[name].expect for name in again(judged)} <= {Expect.REQUIRED}


@unhurried
@given(st.sampled_from(Expect), any_observation(), st.sampled_from(["", "not heard"]))
def test_not_run_is_never_a_pass_nor_a_fail(
    expect: Expect, observation: Observation, missing: str
) -> None:
    verdict, _ = rule(expect, observation, missing_control=missing)
    if observation.outcome is Outcome.NOT_RUN and not observation.received:
        came_through = {Outcome.REACHABLE, Outcome.LOSSY, Outcome.TOO_BIG} & {*observation.earlier}
        allowed = {Verdict.BROKEN, Verdict.OBSERVED}
        leaked = expect is Expect.FORBIDDEN and came_through
        assert verdict in (allowed | {Verdict.FAIL} if leaked else allowed)


@unhurried
@given(st.sampled_from(Expect), any_observation())
def test_a_missing_control_is_never_a_pass_for_isolation(
    expect: Expect, observation: Observation
) -> None:
    verdict, _ = rule(expect, observation, missing_control="not heard")
    assert expect is not Expect.FORBIDDEN or verdict in {Verdict.FAIL, Verdict.BROKEN}


@unhurried
@given(any_sweep())
def test_a_run_is_never_all_green_and_empty(sweep: list[Observation]) -> None:
    judged = judge(CELLS, EXPECTED, sweep)
    if proves_nothing(judged):
        assert not [j for j in judged if j.verdict is Verdict.PASS]
