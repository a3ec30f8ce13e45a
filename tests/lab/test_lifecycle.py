import os
import shutil
import signal
import subprocess
from pathlib import Path

import pytest

import podmatrix
from podmatrix.polling import wait_until
from tests.lab.conftest import RunningLab
from tests.lab.machine import (
    CLI,
    alive,
    links,
    mount_points,
    processes_of,
    run,
    server_process,
)

GONE_WITHIN_S = 10.0


def wait_gone(pids: set[int]) -> None:
    wait_until(
        lambda: not alive(pids),
        timeout_s=GONE_WITHIN_S,
        what="end of every process of the lab",
        last=lambda: str(alive(pids)),
    )


def test_ctrl_c_ends_it_and_leaves_no_file(lab: RunningLab, state_home: Path) -> None:
    pids = processes_of(lab.pid)
    lab.owner.send_signal(signal.SIGINT)
    assert lab.owner.wait(timeout=30) == 0
    assert not alive(pids)
    assert list(state_home.iterdir()) == []


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM], ids=str)
def test_it_ends_with_its_owner(lab: RunningLab, state_home: Path, number: int) -> None:
    pids = processes_of(lab.pid)
    assert len(pids) >= 3
    lab.owner.send_signal(number)
    wait_gone(pids)
    wait_until(
        lambda: list(state_home.iterdir()) == [], timeout_s=GONE_WITHIN_S, what="no file left"
    )


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM], ids=str)
def test_it_ends_with_its_first_process(lab: RunningLab, number: int) -> None:
    pids = processes_of(lab.pid)
    os.kill(lab.pid, number)
    wait_gone(pids)


def test_it_ends_with_its_server_and_says_so(lab: RunningLab) -> None:
    pids = processes_of(lab.pid)
    os.kill(server_process(lab.pid), signal.SIGKILL)
    wait_gone(pids)
    assert lab.owner.wait(timeout=30) == 1


def test_nothing_of_it_shows_on_the_host(lab: RunningLab) -> None:
    enter = ("nsenter", "-t", str(server_process(lab.pid)), "-U", "-n", "--preserve-credentials")
    inside = links(*enter) - {"lo"}
    assert "underlay" in inside
    assert not inside & links()


def test_the_hosts_mounts_stay_as_they_were(namespaces: None, state_home: Path) -> None:
    before = mount_points()
    up = run(*CLI, "lab", "up", "--detach")
    during = mount_points()
    run(*CLI, "lab", "down")
    assert (up.code, during, mount_points()) == (0, before, before)


def test_a_detached_lab_outlives_its_owner_until_it_is_stopped(
    namespaces: None, state_home: Path
) -> None:
    assert run(*CLI, "lab", "up", "--detach", "--nodes", "1").code == 0
    shown = run(*CLI, "lab", "status")
    assert "k8s-master" in shown.out
    assert run(*CLI, "lab", "down").out == "lab default is stopped\n"
    assert run(*CLI, "lab", "status").code == 1
    assert list(state_home.iterdir()) == []


def test_ctrl_c_during_the_start_leaves_nothing(namespaces: None, state_home: Path) -> None:
    owner = subprocess.Popen(
        [*CLI, "lab", "up"], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    assert owner.stdout is not None
    assert owner.stdout.readline().startswith("waiting for ")
    pids = {pid for pid in children(owner.pid) for pid in processes_of(pid)}
    owner.send_signal(signal.SIGINT)
    _, err = owner.communicate(timeout=30)
    assert (owner.returncode, err) == (130, "interrupted: nothing is left running\n")
    assert pids
    assert not alive(pids)
    assert list(state_home.iterdir()) == []


def children(pid: int) -> list[int]:
    found = run("ps", "-o", "pid=", "--ppid", str(pid))
    return [int(word) for word in found.out.split()]


def test_a_state_whose_process_is_gone_is_no_lab(namespaces: None, state_home: Path) -> None:
    (state_home / "default").mkdir(parents=True)
    (state_home / "default/state.json").write_text(
        '{"name": "default", "pid": 1, "start_time": 0, "boot_id": "another", '
        '"kubeconfig": "/x", "server": "https://127.0.0.1:1", "nodes": ["a"]}'
    )
    assert run(*CLI, "lab", "status").code == 1
    assert run(*CLI, "lab", "up", "--detach", "--nodes", "1").code == 0
    assert run(*CLI, "lab", "down").out == "lab default is stopped\n"


def test_a_checkout_below_tmp_stays_visible_in_it(
    namespaces: None, state_home: Path, tmp_path: Path
) -> None:
    package = Path(podmatrix.__file__).parent
    copy = tmp_path / "checkout/src/podmatrix"
    shutil.copytree(package, copy, ignore=shutil.ignore_patterns("__pycache__"))
    path = os.pathsep.join((os.fspath(copy.parent), os.environ.get("PYTHONPATH", "")))
    up = run(*CLI, "lab", "up", "--detach", "--nodes", "1", env={"PYTHONPATH": path})
    down = run(*CLI, "lab", "down", env={"PYTHONPATH": path})
    assert (up.err, down.out) == ("", "lab default is stopped\n")
