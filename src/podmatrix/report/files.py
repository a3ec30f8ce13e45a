"""The files of one run: `reports/<run>/`, and `reports/latest` that points at the newest."""

import os
import re
from pathlib import Path

from podmatrix.errors import RecordError
from podmatrix.report.html import render_html
from podmatrix.report.record import RunRecord, save, write_whole
from podmatrix.report.table import render_text

TEXT_WIDTH = 120
LATEST = "latest"


def write_reports(record: RunRecord, directory: Path) -> Path:
    """Write report.json, matrix.txt and report.html below `directory`; return their folder.

    The record comes first: it is what can be judged again. `latest` moves when all are there.
    Raises RecordError.
    """
    if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]*", record.run.id) or record.run.id == LATEST:
        raise RecordError(f"run id {record.run.id!r} is no folder name; use letters, digits, '-'")
    folder = directory / record.run.id
    save(record, folder)
    write_whole(folder / "matrix.txt", render_text(record, width=TEXT_WIDTH, color=False))
    write_whole(folder / "report.html", render_html(record))
    _point_latest(directory, record.run.id)
    return folder


def _point_latest(directory: Path, run_id: str) -> None:
    """Replace the symbolic link in one step: there is always a `latest`."""
    link, temporary = directory / LATEST, directory / f".{LATEST}.{os.getpid()}"
    try:
        temporary.unlink(missing_ok=True)
        temporary.symlink_to(run_id)
        os.replace(temporary, link)
    except OSError as exc:
        temporary.unlink(missing_ok=True)
        raise RecordError(
            f"{link}: cannot be pointed at {run_id}, {exc}; remove it if it is no symbolic link"
        ) from exc
