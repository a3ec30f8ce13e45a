"""Labs for tests: started by the command line, looked at from outside."""

import json
import os
import signal
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.lab.machine import CLI, Finished, run


@dataclass(frozen=True, slots=True, kw_only=True)
class RunningLab:
    """A lab that `podmatrix lab up` serves in the foreground."""

    owner: subprocess.Popen[str]
    kubeconfig: Path
    state: dict[str, str | int]

    @property
    def pid(self) -> int:
        return int(self.state["pid"])

    def kubectl(self, *argv: str) -> Finished:
        return run("kubectl", "--kubeconfig", self.kubeconfig, *argv)


@pytest.fixture(scope="session")
def namespaces() -> None:
    """Skips where this machine has no user namespaces for us."""
    tried = run(
        "unshare", "--user", "--map-root-user", "--net", "ip", "link", "add", "type", "veth"
    )
    if tried.code:
        pytest.skip(f"needs user namespaces: {tried.err.strip()}")


@pytest.fixture
def state_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty place for the state of labs."""
    monkeypatch.setenv("XDG_STATE_HOME", os.fspath(tmp_path / "state"))
    return tmp_path / "state/podmatrix/labs"


@pytest.fixture
def lab(namespaces: None, state_home: Path, tmp_path: Path) -> Iterator[RunningLab]:
    """A lab of its own for each test: most of them kill it."""
    kubeconfig = tmp_path / "kubeconfig"
    owner = subprocess.Popen(
        [*CLI, "lab", "up", "--kubeconfig", kubeconfig], stdout=subprocess.PIPE, text=True
    )
    try:
        assert owner.stdout is not None
        said = []
        for line in owner.stdout:
            said.append(line)
            if line.startswith("Stop it"):
                break
        assert owner.poll() is None, said
        state = json.loads((state_home / "default/state.json").read_text())
        yield RunningLab(owner=owner, kubeconfig=kubeconfig, state=state)
    finally:
        owner.send_signal(signal.SIGINT)
        owner.wait(timeout=30)
        assert owner.stdout is not None
        owner.stdout.close()
