import json
import math
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from podmatrix.errors import RecordError
from podmatrix.model import Cell, Observations, Outcome, PreflightResult, Verdict
from podmatrix.report.record import RunRecord, dump, load_observations, save, wrong
from tests.samples import across, isolated, record

U, N = Outcome.UNREACHABLE, Outcome.NOT_RUN
WRONG_ONE = "calico-a--flannel-b-eth0-icmp4"
BOUND = "dual-a-net1--flannel-b-eth0-icmp4"


def cells(judged: RunRecord) -> dict[str, dict[str, Any]]:
    return {cell["id"]: cell for cell in dump(judged)["cells"]}


def test_a_record_has_the_fields_of_its_schema() -> None:
    document = dump(record())
    assert document["schema"] == "podmatrix.report/1"
    assert [*document] == [
        *("schema", "run", "nodes", "preflight", "layout", "cells", "diagnosis", "summary"),
        *("proves_nothing", "observations"),
    ]
    assert document["run"] == {
        "id": "20261123-060000-ab12",
        "started": "2026-11-23T06:00:00Z",
        "duration_s": 4.2,
        "target": "lab",
        "server_version": "v1.34.4",
        "profile": "owner",
        "podmatrix": "0.1.0",
        "complete": True,
        "profile_digest": "",
    }
    assert document["nodes"][0] == {
        "slot": "a",
        "name": "node1",
        "internal_ip": "192.168.31.128",
    }


def test_a_bound_cell_is_written_with_both_ends() -> None:
    cell = cells(record())[BOUND]
    assert (cell["mode"], cell["family"], cell["probe"], cell["control"]) == (
        "bound",
        4,
        "icmp",
        False,
    )
    assert cell["source"] == {
        "kind": "dual",
        "slot": "a",
        "interface": "net1",
        "network": "flannel",
        "address": "10.244.0.9",
    }
    assert (cell["expected"], cell["observed"], cell["verdict"]) == (
        "required",
        "reachable",
        "pass",
    )
    assert (cell["attempts"], cell["sent"], cell["received"], cell["rtt_ms"]) == (1, 3, 3, 0.1)
    assert cell["repeat"].startswith("kubectl exec")


def test_a_natural_source_is_written_as_its_routes_chose() -> None:
    def by_the_other(seen: Observations) -> Observations:
        change = {"source_interface": "eth0", "source_address": "10.200.100.136"}
        return replace(
            seen,
            cells=tuple(
                replace(o, **change) if o.cell_id == "dual-a--flannel-b-eth0-icmp4" else o  # type: ignore[arg-type]
                for o in seen.cells
            ),
        )

    source = cells(record(change=by_the_other))["dual-a--flannel-b-eth0-icmp4"]["source"]
    assert (source["interface"], source["network"]) == ("eth0", "calico")


def test_a_host_source_has_no_network() -> None:
    source = cells(record())["host-a--flannel-b-eth0-icmp4"]["source"]
    assert (source["interface"], source["network"]) == (None, None)


def test_a_layout_fact_is_written_with_what_was_seen() -> None:
    facts = dump(record())["layout"]
    assert {
        "kind": "dual",
        "slot": "a",
        "interface": "net1",
        "check": "mtu",
        "expected": 1450,
        "observed": 1450,
        "verdict": "pass",
        "detail": "",
    } in facts


def test_the_summary_counts_every_cell() -> None:
    outcome = {WRONG_ONE: U, BOUND: N, "calico-a--calico-b-eth0-icmp4": Outcome.LOSSY}
    assert dump(record(outcome=outcome))["summary"] == {
        "cells": 88,
        "pass": 79,
        "flaky": 1,
        "fail": 1,
        "broken": 1,
        "observed": 6,
        "not_run": 1,
    }


def test_wrong_holds_exactly_what_is_not_as_declared() -> None:
    bad = wrong(record(outcome={WRONG_ONE: U, "dual-a-net1--calico-b-eth0-icmp4": U}))
    assert [judged.cell.id for judged in bad.cells] == [WRONG_ONE]
    assert (bad.layout, bad.preflight) == ((), ())


def test_nothing_is_wrong_where_all_is_as_declared() -> None:
    assert not wrong(record())
    assert not wrong(record(isolated(), across("calico", "flannel")))


@pytest.mark.parametrize(("skipped", "is_wrong"), [(False, True), (True, False)])
def test_a_skipped_preflight_check_is_not_wrong(skipped: bool, is_wrong: bool) -> None:
    result = PreflightResult(
        check="S15", verdict=Verdict.BROKEN, detail="forbidden", skipped=skipped
    )
    bad = wrong(record(change=lambda seen: replace(seen, preflight=(result,))))
    assert bool(bad) is is_wrong


def test_a_run_that_proves_nothing_says_so() -> None:
    nothing = record(outcome=lambda _: N)
    assert "none of the 82 cells" in dump(nothing)["proves_nothing"]


def test_a_saved_run_comes_back_as_it_was(tmp_path: Path) -> None:
    judged = record(outcome={WRONG_ONE: U})
    info, seen = load_observations(save(judged, tmp_path))
    assert info == judged.run
    assert seen == judged.observations


def test_a_run_that_was_cut_short_is_saved_with_every_cell(tmp_path: Path) -> None:
    judged = record(change=lambda seen: replace(seen, cells=seen.cells[:10], complete=False))
    path = save(judged, tmp_path)
    document = json.loads(path.read_text(encoding="utf-8"))
    assert document["run"]["complete"] is False
    assert (document["summary"]["cells"], document["summary"]["not_run"]) == (88, 78)


def test_a_field_from_a_later_version_is_passed_over(tmp_path: Path) -> None:
    path = save(record(), tmp_path)
    document = json.loads(path.read_text(encoding="utf-8"))
    document["observations"]["cells"][0]["later"] = document["later"] = 1
    path.write_text(json.dumps(document), encoding="utf-8")
    assert load_observations(path)[1] == record().observations


def test_a_number_that_json_does_not_have_becomes_null(tmp_path: Path) -> None:
    def odd(seen: Observations) -> Observations:
        return replace(seen, cells=(replace(seen.cells[0], rtt_ms=math.nan), *seen.cells[1:]))

    path = save(record(change=odd), tmp_path)
    assert load_observations(path)[1].cells[0].rtt_ms is None
    assert json.loads(path.read_text(encoding="utf-8"))["cells"][0]["rtt_ms"] is None


@pytest.mark.parametrize(
    ("text", "what"),
    [
        ("", "not whole JSON"),
        ('{"schema": "podmatrix.report/1", "run"', "not whole JSON"),
        ("[]", "holds no run record"),
        ("{}", "schema is None"),
        ('{"schema": "podmatrix.report/2"}', "schema is 'podmatrix.report/2'"),
        ('{"schema": "podmatrix.report/1"}', "the record was cut or changed"),
    ],
)
def test_a_file_that_is_no_record_is_refused(tmp_path: Path, text: str, what: str) -> None:
    path = tmp_path / "report.json"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(RecordError, match=what) as error:
        load_observations(path)
    assert str(path) in str(error.value)


def test_a_damaged_field_is_named_by_its_place(tmp_path: Path) -> None:
    path = save(record(), tmp_path)
    text = path.read_text(encoding="utf-8").replace('"outcome": "reachable"', '"outcome": "fine"')
    path.write_text(text, encoding="utf-8")
    with pytest.raises(RecordError, match=r"cells\.0\.outcome"):
        load_observations(path)


def test_a_file_that_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(RecordError, match="cannot be read"):
        load_observations(tmp_path / "report.json")


def test_bytes_that_are_no_text_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "report.json"
    path.write_bytes(b"\xff\xfe")
    with pytest.raises(RecordError, match="not whole JSON"):
        load_observations(path)


def test_every_cell_of_the_plan_is_in_the_record() -> None:
    def some(cell: Cell) -> Outcome:
        return N if cell.relation == "same-node" else Outcome.REACHABLE

    judged = record(outcome=some)
    assert [cell["id"] for cell in dump(judged)["cells"]] == [j.cell.id for j in judged.cells]
