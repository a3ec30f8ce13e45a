import os
import socket
from pathlib import Path

import pytest

from tests.lab.conftest import RunningLab
from tests.lab.machine import CLI, run

pytestmark = pytest.mark.usefixtures("namespaces", "state_home")


def test_a_port_that_is_taken_is_said_with_the_cure(state_home: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        refused = run(*CLI, "lab", "up", "--port", str(port))
    assert refused.code == 1
    assert refused.err == (
        f"podmatrix: port {port} on 127.0.0.1 cannot be used: Address already in use: "
        f"choose another with --port, or leave it out for one that is free\n"
    )
    assert list(state_home.iterdir()) == []


def test_missing_tools_are_named(tmp_path: Path) -> None:
    refused = run(*CLI, "lab", "up", env={"PATH": os.fspath(tmp_path)})
    assert refused.code == 1
    assert "podmatrix: the lab needs " in refused.err
    assert "ping, " in refused.err
    assert "Traceback" not in refused.err


def test_a_lab_that_runs_is_not_started_again(lab: RunningLab) -> None:
    refused = run(*CLI, "lab", "up")
    assert refused.code == 1
    assert f"lab default is already running (pid {lab.pid}): stop it with" in refused.err


def test_a_name_that_is_none_is_refused() -> None:
    refused = run(*CLI, "lab", "up", "--name", "../x")
    assert (refused.code, "cannot be a lab's name" in refused.err) == (1, True)


def test_a_kubeconfig_that_is_not_a_labs_is_not_overwritten(tmp_path: Path) -> None:
    own = tmp_path / "config"
    own.write_text("clusters: []\n")
    refused = run(*CLI, "lab", "up", "--kubeconfig", own)
    assert (refused.code, own.read_text()) == (1, "clusters: []\n")
    assert "is not a lab's kubeconfig" in refused.err


def test_a_topology_error_is_one_message(tmp_path: Path) -> None:
    wrong = tmp_path / "lab.yaml"
    wrong.write_text("apiVersion: podmatrix.io/v1alpha1\nkind: Topology\nunderlay: {mtu: 500}\n")
    refused = run(*CLI, "lab", "up", "--topology", wrong)
    assert refused.code == 1
    assert refused.err.startswith(f"podmatrix: {wrong}: underlay.mtu: ")


def test_a_machine_without_user_namespaces_is_said_so() -> None:
    forbid = "echo 0 > /proc/sys/user/max_user_namespaces"
    command = f'{forbid} && exec "$@"'
    refused = run(
        "unshare", "--user", "--map-root-user", "sh", "-c", command, "sh", *CLI, "lab", "up"
    )
    assert refused.code == 1
    assert "user.max_user_namespaces is 0" in refused.err
    assert "Traceback" not in refused.err
