import json
from dataclasses import replace
from pathlib import Path

import pytest

from podmatrix.errors import RecordError
from podmatrix.report.files import write_reports
from podmatrix.report.record import RunRecord
from tests.samples import record


def run(run_id: str) -> RunRecord:
    judged = record()
    return replace(judged, run=replace(judged.run, id=run_id))


def test_a_run_leaves_its_three_files_in_a_folder_of_its_own(tmp_path: Path) -> None:
    folder = write_reports(run("one"), tmp_path)
    assert folder == tmp_path / "one"
    assert sorted(path.name for path in folder.iterdir()) == [
        *("matrix.txt", "report.html", "report.json"),
    ]


def test_latest_points_at_the_newest_run(tmp_path: Path) -> None:
    write_reports(run("one"), tmp_path)
    write_reports(run("two"), tmp_path)
    document = json.loads((tmp_path / "latest" / "report.json").read_text(encoding="utf-8"))
    assert document["run"]["id"] == "two"
    assert (tmp_path / "latest").readlink() == Path("two")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["latest", "one", "two"]


def test_a_run_can_be_written_again(tmp_path: Path) -> None:
    write_reports(run("one"), tmp_path)
    assert write_reports(run("one"), tmp_path) == tmp_path / "one"


def test_the_text_is_without_colour(tmp_path: Path) -> None:
    text = (write_reports(run("one"), tmp_path) / "matrix.txt").read_text(encoding="utf-8")
    assert "\x1b" not in text
    assert text.splitlines()[-1] == "all as declared"


def test_a_latest_that_is_a_folder_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "latest").mkdir()
    with pytest.raises(RecordError, match="no symbolic link"):
        write_reports(run("one"), tmp_path)
    assert (tmp_path / "latest").is_dir()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["latest", "one"]


def test_a_place_that_cannot_be_written_is_told(tmp_path: Path) -> None:
    (tmp_path / "reports").write_text("a file", encoding="utf-8")
    with pytest.raises(RecordError, match=r"report\.json: cannot be written"):
        write_reports(run("one"), tmp_path / "reports")


@pytest.mark.parametrize("run_id", ["", "..", "a/b", "latest", "-x"])
def test_a_run_id_that_is_no_folder_name_is_refused(tmp_path: Path, run_id: str) -> None:
    with pytest.raises(RecordError, match="no folder name"):
        write_reports(run(run_id), tmp_path)
