"""Labs for tests: started by the command line, looked at from outside."""

import json
import os
import shutil
import signal
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
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

    def kubectl(self, *argv: str | Path) -> Finished:
        return run("kubectl", "--kubeconfig", self.kubeconfig, *argv)

    def deploy(
        self,
        directory: Path,
        name: str,
        *,
        container: Mapping[str, object] | None = None,
        wait: bool = True,
        **spec: object,
    ) -> None:
        """Create a pod of one container, `main`, and wait until it is ready."""
        main = {"name": "main", "image": "lab", "command": ["sleep", "600"], **(container or {})}
        pod = {
            "apiVersion": "v1",
            "kind": "Pod",
            "metadata": {"name": name},
            "spec": {"terminationGracePeriodSeconds": 0, "containers": [main], **spec},
        }
        file = directory / f"{name}.json"
        file.write_text(json.dumps(pod))
        created = self.kubectl("create", "-f", file)
        assert created.code == 0, created.err
        if wait:
            ready = self.kubectl("wait", f"pod/{name}", "--for=condition=Ready", "--timeout=30s")
            assert ready.code == 0, ready.err

    def execute(self, name: str, *argv: str) -> Finished:
        """Run a command in a pod."""
        return self.kubectl("exec", name, "--", *argv)


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
def lab(namespaces: None, tmp_path: Path, state_home: Path) -> Iterator[RunningLab]:
    """A lab of its own for each test: most of them kill it."""
    with running_lab(tmp_path) as started:
        yield started


@pytest.fixture(scope="module")
def shared_lab(namespaces: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningLab]:
    """One lab for all tests of a module: each deploys pods of its own."""
    if shutil.which("kubectl") is None:
        pytest.skip("needs kubectl")
    with running_lab(tmp_path_factory.mktemp("lab")) as started:
        yield started


@contextmanager
def running_lab(directory: Path, *options: str | Path) -> Iterator[RunningLab]:
    """A lab in the foreground, with its state below `directory`."""
    kubeconfig = directory / "kubeconfig"
    owner = subprocess.Popen(
        [*CLI, "lab", "up", "--kubeconfig", kubeconfig, *options],
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "XDG_STATE_HOME": os.fspath(directory / "state")},
    )
    try:
        assert owner.stdout is not None
        said = []
        for line in owner.stdout:
            said.append(line)
            if line.startswith("Stop it"):
                break
        assert owner.poll() is None, said
        state = json.loads((directory / "state/podmatrix/labs/default/state.json").read_text())
        yield RunningLab(owner=owner, kubeconfig=kubeconfig, state=state)
    finally:
        owner.send_signal(signal.SIGINT)
        owner.wait(timeout=30)
        assert owner.stdout is not None
        owner.stdout.close()
