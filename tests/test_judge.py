from collections.abc import Mapping

import pytest

from podmatrix.errors import JudgeError
from podmatrix.expectations import expectations
from podmatrix.judge import again, judge, proves_nothing
from podmatrix.model import Cell, Expect, Expectation, JudgedCell, Observation, Outcome, Verdict
from podmatrix.plan import make_plan
from podmatrix.profile import Profile, parse_profile
from tests.samples import ISOLATED, across, isolated, observe, owner

AB = ("a", "b")
REQUIRED = "calico-a--flannel-b-eth0-icmp4"
OBSERVED = "dual-a-net1--calico-b-eth0-icmp4"
FORBIDDEN = REQUIRED  # in the profile that keeps the networks apart

R, L, U = Outcome.REACHABLE, Outcome.LOSSY, Outcome.UNREACHABLE
J, T, N = Outcome.REJECTED, Outcome.TOO_BIG, Outcome.NOT_RUN


def judged(
    profile: Profile, changes: Mapping[str, Observation], *, apart: bool = False
) -> dict[str, JudgedCell]:
    cells = make_plan(profile, AB).cells
    silent = across("calico", "flannel")
    seen = [
        changes.get(cell.id) or observe(cell, silent(cell) if apart else Outcome.REACHABLE)
        for cell in cells
    ]
    return {j.cell.id: j for j in judge(cells, expectations(profile, cells), seen)}


def cell_of(profile: Profile, cell_id: str) -> Cell:
    return next(cell for cell in make_plan(profile, AB).cells if cell.id == cell_id)


def verdict_on_required(outcome: Outcome, *earlier: Outcome) -> Verdict:
    seen = observe(cell_of(owner(), REQUIRED), outcome, earlier=earlier, attempts=len(earlier) + 1)
    return judged(owner(), {REQUIRED: seen})[REQUIRED].verdict


def judged_forbidden(outcome: Outcome, **more: object) -> JudgedCell:
    seen = observe(cell_of(isolated(), FORBIDDEN), outcome, **more)
    return judged(isolated(), {FORBIDDEN: seen}, apart=True)[FORBIDDEN]


@pytest.mark.parametrize(
    ("outcome", "verdict"),
    [
        (R, Verdict.PASS),
        (L, Verdict.FLAKY),
        (U, Verdict.FAIL),
        (J, Verdict.FAIL),
        (T, Verdict.FAIL),
        (N, Verdict.BROKEN),
    ],
)
def test_a_required_cell(outcome: Outcome, verdict: Verdict) -> None:
    assert verdict_on_required(outcome) is verdict


@pytest.mark.parametrize(
    ("earlier", "last", "verdict"),
    [
        ((U,), R, Verdict.FLAKY),
        ((L,), R, Verdict.FLAKY),
        ((N,), R, Verdict.FLAKY),
        ((U, U), R, Verdict.FLAKY),
        ((R,), R, Verdict.PASS),
        ((R,), U, Verdict.FAIL),
        ((L,), U, Verdict.FAIL),
        ((U,), L, Verdict.FLAKY),
        ((U,), N, Verdict.BROKEN),
    ],
)
def test_earlier_rounds_tell_flaky_from_fail(
    earlier: tuple[Outcome, ...], last: Outcome, verdict: Verdict
) -> None:
    assert verdict_on_required(last, *earlier) is verdict


@pytest.mark.parametrize(
    ("outcome", "verdict"),
    [
        (R, Verdict.FAIL),
        (L, Verdict.FAIL),
        (U, Verdict.PASS),
        (J, Verdict.PASS),
        (T, Verdict.FAIL),
        (N, Verdict.BROKEN),
    ],
)
def test_a_forbidden_cell_whose_controls_hold(outcome: Outcome, verdict: Verdict) -> None:
    assert judged_forbidden(outcome).verdict is verdict


@pytest.mark.parametrize("outcome", list(Outcome))
def test_an_observed_cell_is_never_wrong(outcome: Outcome) -> None:
    seen = observe(cell_of(owner(), OBSERVED), outcome)
    assert judged(owner(), {OBSERVED: seen})[OBSERVED].verdict is Verdict.OBSERVED


def test_an_observed_cell_that_was_not_run_says_so() -> None:
    seen = observe(cell_of(owner(), OBSERVED), N)
    assert judged(owner(), {OBSERVED: seen})[OBSERVED].why == "not run"


@pytest.mark.parametrize("through", [R, L, T])
def test_isolation_that_was_ever_broken_stays_broken(through: Outcome) -> None:
    assert judged_forbidden(U, earlier=(through,), attempts=2).verdict is Verdict.FAIL


@pytest.mark.parametrize("outcome", [U, J, N])
def test_one_reply_is_enough_to_refute_isolation(outcome: Outcome) -> None:
    assert judged_forbidden(outcome, received=1).verdict is Verdict.FAIL


def test_silence_proves_nothing_where_the_source_was_heard_nowhere() -> None:
    profile = isolated()
    dead = {
        cell.id: observe(cell, U)
        for cell in make_plan(profile, AB).cells
        if cell.source.pod_id == "calico-a"
    }
    found = judged(profile, dead, apart=True)[FORBIDDEN]
    assert found.verdict is Verdict.BROKEN
    assert found.why == (
        "unproven: calico-a reached nothing in the same sweep by cross-node icmp4 (4 other cells)"
    )


def test_silence_proves_nothing_where_the_destination_was_never_reached() -> None:
    profile = isolated()
    dead = {
        cell.id: observe(cell, U)
        for cell in make_plan(profile, AB).cells
        if cell.destination.pod_id == "flannel-b"
    }
    found = judged(profile, dead, apart=True)[FORBIDDEN]
    assert found.verdict is Verdict.BROKEN
    assert "flannel-b-eth0 was reached by nothing" in found.why


def test_a_control_on_the_same_node_says_nothing_across_nodes() -> None:
    profile = isolated()
    dead = {
        cell.id: observe(cell, U)
        for cell in make_plan(profile, AB).cells
        if cell.source.pod_id == "calico-a" and cell.relation == "cross-node"
    }
    assert judged(profile, dead, apart=True)[FORBIDDEN].verdict is Verdict.BROKEN


@pytest.mark.parametrize("outcome", [L, N, U])
def test_only_a_control_that_was_whole_in_the_first_round_counts(outcome: Outcome) -> None:
    profile = isolated()
    late = {
        cell.id: observe(cell, R, earlier=(outcome,), attempts=2)
        for cell in make_plan(profile, AB).cells
        if cell.source.pod_id == "calico-a" and cell.id != FORBIDDEN
    }
    late[FORBIDDEN] = observe(cell_of(profile, FORBIDDEN), U)
    assert judged(profile, late, apart=True)[FORBIDDEN].verdict is Verdict.BROKEN


def test_where_no_control_is_possible_the_reason_says_so() -> None:
    text = ISOLATED.replace("  dual: {eth0: calico, net1: flannel}\n", "")
    text = text.replace("  host: {hostNetwork: true}\n", "")
    text = text.replace(
        "    - {from: {kind: dual, interface: net1, mode: bound}, to: calico, expect: observe}\n",
        "",
    )
    profile = parse_profile(text, source="x")
    found = judged(profile, {}, apart=True)["calico-a--flannel-a-eth0-icmp4"]
    assert found.verdict is Verdict.BROKEN
    assert "no other cell of the plan can show that calico-a answers" in found.why


@pytest.mark.parametrize(
    "nonsense",
    [
        {"outcome": R, "received": 0},
        {"outcome": R, "received": 2},
        {"outcome": L, "received": 0},
        {"outcome": U, "received": 1},
        {"outcome": R, "attempts": 2},
    ],
)
def test_an_observation_that_contradicts_itself_has_no_say(nonsense: dict[str, object]) -> None:
    seen = observe(cell_of(owner(), REQUIRED), **nonsense)  # type: ignore[arg-type]  # any field
    found = judged(owner(), {REQUIRED: seen})[REQUIRED]
    assert found.verdict is Verdict.BROKEN
    assert "contradicts itself" in found.why


def test_a_cell_that_nobody_observed_is_broken() -> None:
    cells = make_plan(owner(), AB).cells
    seen = [observe(cell) for cell in cells if cell.id != REQUIRED]
    found = {j.cell.id: j for j in judge(cells, expectations(owner(), cells), seen)}[REQUIRED]
    assert (found.observation.outcome, found.verdict) == (N, Verdict.BROKEN)
    assert found.why == "not run: no observation"


def test_verdicts_come_in_the_order_of_the_plan() -> None:
    cells = make_plan(owner(), AB).cells
    seen = [observe(cell) for cell in reversed(cells)]
    assert [j.cell for j in judge(cells, expectations(owner(), cells), seen)] == list(cells)


def test_two_observations_of_one_cell_are_refused() -> None:
    cell = cell_of(owner(), REQUIRED)
    expected = {cell.id: Expectation(expect=Expect.REQUIRED, reason="")}
    with pytest.raises(JudgeError, match=f"observed twice: {REQUIRED}"):
        judge([cell], expected, [observe(cell), observe(cell, U)])


def test_an_observation_of_an_unknown_cell_is_refused() -> None:
    cell, other = cell_of(owner(), REQUIRED), cell_of(owner(), OBSERVED)
    expected = {cell.id: Expectation(expect=Expect.REQUIRED, reason="")}
    with pytest.raises(JudgeError, match=f"not in the plan: {OBSERVED}"):
        judge([cell], expected, [observe(other)])


def test_a_cell_without_an_expectation_is_refused() -> None:
    with pytest.raises(JudgeError, match="without an expectation"):
        judge([cell_of(owner(), REQUIRED)], {}, [])


@pytest.mark.parametrize(("outcome", "probed_again"), [(U, True), (L, True), (J, True), (T, True)])
def test_required_cells_that_failed_are_probed_again(outcome: Outcome, probed_again: bool) -> None:
    seen = observe(cell_of(owner(), REQUIRED), outcome)
    assert (REQUIRED in again(judged(owner(), {REQUIRED: seen}).values())) is probed_again


@pytest.mark.parametrize("outcome", [R, N])
def test_cells_that_passed_or_could_not_be_probed_are_left(outcome: Outcome) -> None:
    seen = observe(cell_of(owner(), REQUIRED), outcome)
    assert not again(judged(owner(), {REQUIRED: seen}).values())


@pytest.mark.parametrize("outcome", list(Outcome))
def test_forbidden_and_observed_cells_are_never_probed_again(outcome: Outcome) -> None:
    profile = isolated()
    changes = {name: observe(cell_of(profile, name), outcome) for name in (FORBIDDEN, OBSERVED)}
    assert not again(judged(profile, changes, apart=True).values()) & {FORBIDDEN, OBSERVED}


def test_a_run_without_cells_proves_nothing() -> None:
    assert "no cell was planned" in proves_nothing([])


def test_a_run_that_only_observes_proves_nothing() -> None:
    profile = parse_profile(ISOLATED.split("  default: ")[0] + "  default: observe\n", source="x")
    assert "only observed" in proves_nothing(judged(profile, {}).values())


def test_a_run_in_which_nothing_was_probed_proves_nothing() -> None:
    cells = make_plan(owner(), AB).cells
    nothing = judge(cells, expectations(owner(), cells), [])
    assert "none of the 82 cells" in proves_nothing(nothing)


def test_a_run_with_one_probed_cell_proves_something() -> None:
    cells = make_plan(owner(), AB).cells
    one = judge(cells, expectations(owner(), cells), [observe(cell_of(owner(), REQUIRED))])
    assert proves_nothing(one) == ""


def test_silence_next_to_loss_is_unproven() -> None:
    control = "calico-a--calico-b-eth0-icmp4"
    changes = {control: observe(cell_of(isolated(), control), L)}
    verdict = judged(isolated(), changes, apart=True)[FORBIDDEN]
    assert (verdict.verdict, "lost packets" in verdict.why) == (Verdict.BROKEN, True)


def test_a_third_node_cannot_vouch_for_two_that_are_cut_off() -> None:
    profile = isolated()
    cells = make_plan(profile, ("a", "b", "c")).cells
    forbidden = across("calico", "flannel")

    def silent(cell: Cell) -> Outcome:
        cut = {cell.source.slot, cell.destination.slot} == {"a", "b"}
        return Outcome.UNREACHABLE if cut else forbidden(cell)

    seen = [observe(cell, silent(cell)) for cell in cells]
    verdicts = {j.cell.id: j for j in judge(cells, expectations(profile, cells), seen)}
    assert verdicts[FORBIDDEN].verdict is Verdict.BROKEN
    assert verdicts["calico-a--flannel-c-eth0-icmp4"].verdict is Verdict.PASS
