import json
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest

from tests.plugin.commands import run_pytest

CELLS, FACTS, CHECKS = 88, 70, 5
PODS = 8


class LabRun:
    """One bare `pytest`: the embedded lab comes up, is judged, and goes."""

    def __init__(self, directory: Path, *args: str) -> None:
        self.reports = directory / "reports"
        junit = directory / "junit.xml"
        self.done = run_pytest(
            f"--matrix-report-dir={self.reports}", f"--junit-xml={junit}", "-q", *args
        )
        if "SandboxError" in self.done.stdout + self.done.stderr:
            pytest.skip(f"needs namespaces: {self.done.stderr}")
        assert self.done.returncode == 0, self.done.stdout + self.done.stderr
        self.suite = ElementTree.parse(junit).getroot()[0]
        self.report: dict[str, Any] = json.loads(
            (self.reports / "latest" / "report.json").read_text()
        )

    @property
    def verdicts(self) -> dict[str, str]:
        """What came out, by cell and fact."""
        facts = {
            f"{fact['kind']}-{fact['slot']}-{fact['interface']}-{fact['check']}": fact["verdict"]
            for fact in self.report["layout"]
        }
        return facts | {cell["id"]: cell["verdict"] for cell in self.report["cells"]}


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> LabRun:
    return LabRun(tmp_path_factory.mktemp("alone"))


def test_there_is_one_item_for_every_cell_fact_and_precondition(run: LabRun) -> None:
    assert run.suite.attrib["tests"] == str(CELLS + FACTS + CHECKS)
    assert {run.suite.attrib[key] for key in ("failures", "errors", "skipped")} == {"0"}


def test_the_record_is_complete(run: LabRun) -> None:
    summary = run.report["summary"]
    assert run.report["run"]["complete"] is True
    assert (summary["cells"], summary["pass"], summary["observed"]) == (CELLS, 82, 6)
    assert (len(run.report["layout"]), len(run.report["preflight"])) == (FACTS, CHECKS)


def test_one_exec_a_pod_is_enough(run: LabRun) -> None:
    assert run.report["observations"]["execs"] == PODS


def test_all_reports_are_written(run: LabRun) -> None:
    written = {path.name for path in (run.reports / "latest").iterdir()}
    assert written == {"report.json", "report.html", "matrix.txt"}


def test_workers_see_the_same_verdicts_and_there_is_one_report(run: LabRun, tmp_path: Path) -> None:
    parallel = LabRun(tmp_path, "-n", "4")
    assert parallel.verdicts == run.verdicts
    assert parallel.suite.attrib["tests"] == run.suite.attrib["tests"]
    assert len([path for path in parallel.reports.iterdir() if not path.is_symlink()]) == 1


def test_a_saved_run_is_judged_again_without_a_cluster(run: LabRun) -> None:
    record = run.reports / "latest" / "report.json"
    again = run_pytest(f"--matrix-record={record}", "-q")
    assert again.returncode == 0
    assert f"{CELLS + FACTS + CHECKS} passed" in again.stdout


def test_more_nodes_than_there_are_is_an_error_that_says_how_many_there_are() -> None:
    done = run_pytest("--matrix-nodes=5", "-q")
    assert done.returncode == 4
    assert "--matrix-nodes=5: of 2 nodes 2 are ready and schedulable" in done.stderr
