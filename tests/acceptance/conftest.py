import json
import secrets
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.plugin.commands import CHECKOUT, run_pytest

PODMATRIX = [sys.executable, "-m", "podmatrix.cli"]


@pytest.fixture(scope="session")
def detached_lab(
    tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest
) -> Iterator[Path]:
    """The kubeconfig of a lab that was started as a user starts one."""
    if shutil.which("kubectl") is None:
        pytest.skip("needs kubectl")
    name = f"test-{secrets.token_hex(3)}"
    kubeconfig = tmp_path_factory.mktemp("lab") / "kubeconfig"
    up = [*PODMATRIX, "lab", "up", "--detach", "--name", name, "--kubeconfig", str(kubeconfig)]
    done = subprocess.run(up, capture_output=True, text=True, timeout=60, check=False)
    if done.returncode != 0 and "namespace" in done.stderr:
        pytest.skip(f"needs namespaces: {done.stderr.strip()}")
    assert done.returncode == 0, done.stderr
    try:
        yield kubeconfig
    finally:
        down = [*PODMATRIX, "lab", "down", "--name", name]
        subprocess.run(down, check=True, capture_output=True, timeout=60)


class AcceptanceRun:
    """One `pytest --kubeconfig=...` and the report it left."""

    def __init__(self, kubeconfig: Path, reports: Path, *args: str) -> None:
        self.done = run_pytest(
            f"--kubeconfig={kubeconfig}",
            "--matrix-profile=owner",
            "--matrix-nodes=all",
            f"--matrix-report-dir={reports}",
            "-q",
            *args,
            cwd=CHECKOUT,
        )
        report = reports / "latest" / "report.json"
        assert report.exists(), self.done.stdout + self.done.stderr
        self.report: dict[str, Any] = json.loads(report.read_text())

    @property
    def wrong(self) -> set[str]:
        """Ids of the cells that are neither as declared nor merely observed."""
        fine = ("pass", "observed")
        return {cell["id"] for cell in self.report["cells"] if cell["verdict"] not in fine}
