import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from podmatrix.polling import wait_until
from tests.plugin.commands import CHECKOUT
from tests.plugin.processes import alive, descendants

PHASES = {
    "lab start": "lab: waiting for underlay",
    "pod start": "namespace podmatrix-",
    "sweep": "probing ",
}
INTERRUPTED = 2


@contextmanager
def acceptance_run(until: str, tmp_path: Path) -> Iterator[subprocess.Popen[str]]:
    """A run on the lab that has just printed a line that starts with `until`."""
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider"]
    process = subprocess.Popen(
        [*command, f"--matrix-report-dir={tmp_path / 'reports'}"],
        cwd=CHECKOUT,
        env={**os.environ, "TMPDIR": str(tmp_path)},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )
    assert process.stdout is not None
    with process:
        try:
            said: list[str] = []
            for line in process.stdout:
                said.append(line)
                if line.startswith(until):
                    break
            else:
                if "SandboxError" in "".join(said):
                    pytest.skip(f"needs namespaces: {said[-1]}")
                pytest.fail("".join(said))
            yield process
        finally:
            process.kill()
            process.stdout.close()


def left_over(host_state: str, started: set[int]) -> str:
    """Empty once every process is gone and the host shows what it showed before."""
    running = alive(started)
    return f"processes {running}" if running else _difference(host_state, host())


def _difference(before: str, after: str) -> str:
    return "" if before == after else f"{before} became {after}"


def host() -> str:
    """Interfaces, routes, mounts and named network namespaces of this machine."""
    links = sorted(os.listdir("/sys/class/net"))
    routes = Path("/proc/net/route").read_text()
    mountinfo = Path("/proc/self/mountinfo").read_text()
    mounts = sorted(line.split()[4] for line in mountinfo.splitlines())
    netns = sorted(os.listdir("/run/netns")) if Path("/run/netns").exists() else []
    return json.dumps([links, routes, mounts, netns])


@pytest.mark.parametrize("phase", PHASES)
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupt_leaves_nothing_behind(
    phase: str, number: signal.Signals, tmp_path: Path
) -> None:
    before = host()
    with acceptance_run(PHASES[phase], tmp_path) as process:
        started = descendants(process.pid)
        process.send_signal(number)
        assert process.wait(timeout=30) == INTERRUPTED
    assert started
    assert left_over(before, started) == ""
    assert not list(tmp_path.glob("podmatrix*"))


def test_a_killed_run_takes_its_lab_with_it(tmp_path: Path) -> None:
    before = host()
    with acceptance_run(PHASES["sweep"], tmp_path) as process:
        started = descendants(process.pid)
        process.kill()
    wait_until(lambda: not left_over(before, started), timeout_s=2, what="the lab's end")


@pytest.mark.parametrize("phase", ["pod start", "sweep"])
def test_an_interrupted_run_leaves_a_record_with_every_cell(phase: str, tmp_path: Path) -> None:
    with acceptance_run(PHASES[phase], tmp_path) as process:
        process.send_signal(signal.SIGINT)
        process.wait(timeout=30)
    report = json.loads((tmp_path / "reports" / "latest" / "report.json").read_text())
    assert report["run"]["complete"] is False
    assert report["summary"]["cells"] == len(report["cells"]) == 88
    assert {cell["observed"] for cell in report["cells"]} == {"not_run"}
