import re
from dataclasses import replace

import pytest

from podmatrix.model import Cell, Observations, Outcome, PreflightResult, Verdict
from podmatrix.report.table import render_text
from tests.layout.changes import default_routes
from tests.samples import across, isolated, record

U = Outcome.UNREACHABLE
WRONG_ONE = "calico-a--flannel-b-eth0-icmp4"


def text(**more: object) -> str:
    return render_text(record(**more), width=120, color=False)  # type: ignore[arg-type]


def row(label: str, of: str) -> list[str]:
    line = next(line for line in of.splitlines() if line.startswith(label))
    return line[len(label) :].split()


def cross_node_flannel(cell: Cell) -> Outcome:
    blocked = cell.relation == "cross-node" and cell.destination.network == "flannel"
    return U if blocked else Outcome.REACHABLE


def test_eight_pods_fit_into_120_columns() -> None:
    table = text(outcome=cross_node_flannel).split("wrong cells")[0]
    assert "dual-a net1 bound" in table
    assert max(len(line.rstrip()) for line in table.splitlines()) <= 120


def test_a_cell_that_passed_is_a_dot() -> None:
    assert row("calico-a", text()) == ["."] * 9


def test_columns_stand_in_the_order_of_the_rows() -> None:
    kinds, slots, interfaces = (line.split() for line in text().splitlines()[4:7])
    assert list(zip(kinds, slots, interfaces, strict=False))[:6] == [
        ("calico", "a", "eth0"),
        ("calico", "b", "eth0"),
        ("flannel", "a", "eth0"),
        ("flannel", "b", "eth0"),
        ("dual", "a", "eth0"),
        ("dual", "a", "net1"),
    ]


def test_a_cell_that_failed_shows_expected_and_observed() -> None:
    assert row("host-a", text(outcome=cross_node_flannel)).count("+/-") == 2


def test_isolation_that_holds_has_a_mark_of_its_own() -> None:
    shown = render_text(record(isolated(), across("calico", "flannel")), width=120, color=False)
    assert row("calico-a", shown).count("#") == 4
    assert "all as declared" in shown


def test_isolation_that_is_broken_shows_what_was_expected() -> None:
    assert row("calico-a", text(profile=isolated())).count("-/+") == 4


@pytest.mark.parametrize(
    ("outcome", "mark"),
    [
        (Outcome.LOSSY, "~ +/~"),
        (Outcome.REJECTED, "X +/x"),
        (Outcome.TOO_BIG, "X +/>"),
        (Outcome.NOT_RUN, "? +/?"),
    ],
)
def test_each_outcome_has_its_mark(outcome: Outcome, mark: str) -> None:
    assert mark in text(outcome={WRONG_ONE: outcome})


def test_every_mark_is_explained() -> None:
    marks = "X fail", "~ flaky", "? broken", "o observed only", "# silent as forbidden"
    assert all(mark in text() for mark in marks)


def test_only_wrong_cells_are_spelled_out() -> None:
    shown = text(outcome={WRONG_ONE: U})
    assert re.findall(r"\S+--\S+icmp4", shown) == [WRONG_ONE]


def test_a_wrong_cell_tells_all_that_is_known() -> None:
    lines = text(outcome={WRONG_ONE: U}).split("wrong cells (1):\n")[1].splitlines()[:7]
    assert lines == [
        f"FAIL  {WRONG_ONE}",
        "  expected  required: no rule of profile owner matches, its default is required",
        "  observed  unreachable, 0 of 3 packets answered: unreachable says the sample",
        "  verdict   fail, rounds: unreachable",
        "  from      calico-a eth0 10.200.100.138, natural",
        "  to        flannel-b eth0 10.244.1.4, cross-node",
        "  repeat    kubectl exec calico-a -- ping -c 3 10.244.1.4",
    ]


def test_a_run_that_is_all_as_declared_spells_nothing_out() -> None:
    assert "wrong" not in text()
    assert text().splitlines()[-1] == "all as declared"


def test_a_limit_says_how_many_cells_it_left_out() -> None:
    shown = render_text(record(outcome=cross_node_flannel), width=120, color=False, limit=3)
    assert shown.count("FAIL  ") == 3
    assert "and 17 more" in shown


def test_many_pods_are_folded_by_kind_and_relation() -> None:
    shown = render_text(record(outcome=cross_node_flannel, n=12), width=120, color=False, limit=0)
    assert row("calico cross-node", shown)[:5] == ["132", ".", "132", "X", "+/-"]
    assert len(shown.splitlines()) < 40


def test_a_folded_field_counts_each_mark_worst_first() -> None:
    shown = render_text(record(outcome={WRONG_ONE: U}), width=80, color=False)
    assert "1 X +/-, 1 ." in shown


def test_a_wrong_layout_fact_is_told_below_the_table() -> None:
    routes = ("default via 10.244.0.1 dev net1", "default via 169.254.1.1 dev eth0")
    shown = text(change=default_routes("dual-a", *routes))
    assert "FAIL  dual-a-default-route" in shown
    assert "2 default routes for IPv4" in shown
    assert shown.splitlines()[-1] == "not as declared: 1 layout facts"


def test_preflight_results_that_are_wrong_or_skipped_are_told() -> None:
    results = (
        PreflightResult(check="S13", verdict=Verdict.FAIL, detail="10.0.0.0/8 overlaps"),
        PreflightResult(check="S15", verdict=Verdict.OBSERVED, detail="no RBAC", skipped=True),
    )
    shown = text(change=lambda seen: replace(seen, preflight=results))
    assert "FAIL  S13\n  10.0.0.0/8 overlaps" in shown
    assert "skipped  S15: no RBAC" in shown


def test_a_run_that_proves_nothing_is_not_as_declared() -> None:
    assert text(outcome=lambda _: Outcome.NOT_RUN).splitlines()[-1].startswith("proves nothing")


def test_a_run_that_was_cut_short_is_not_as_declared() -> None:
    shown = text(change=lambda seen: replace(seen, complete=False))
    assert "cut short" in shown.splitlines()[0]
    assert shown.splitlines()[-1] == "cut short before everything was asked"


def escaping(seen: Observations) -> Observations:
    evil = "\x1b[2J\x07\u202egnp\nnext\x9b"
    return replace(
        seen,
        nodes=tuple(replace(node, name=f"node{evil}") for node in seen.nodes),
        cells=tuple(replace(o, detail=evil, repeat=evil) for o in seen.cells),
        notes=(evil,),
        server_version=evil,
    )


def test_escape_sequences_from_a_cluster_are_made_visible() -> None:
    shown = text(outcome={WRONG_ONE: U}, change=escaping)
    assert not set("\x1b\x07\u202e\x9b") & set(shown)
    assert r"\x1b[2J\x07\u202egnp\nnext\x9b" in shown


def test_without_colour_the_text_is_the_same() -> None:
    judged = record(outcome=cross_node_flannel)
    coloured = render_text(judged, width=120, color=True)
    assert "\x1b[1;31mX +/-\x1b[0m" in coloured
    plain = render_text(judged, width=120, color=False)
    assert re.sub(r"\x1b\[[0-9;]*m", "", coloured) == plain
