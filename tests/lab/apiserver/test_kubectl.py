import json
import os
import re
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.lab.apiserver.cluster import ServedCluster
from tests.lab.apiserver.pods import Namespace, pod

TIMEOUT_S = 30
OLDEST = (1, 30)  # the first whose exec uses WebSocket

Completed = subprocess.CompletedProcess[str]
Kubectl = Callable[..., Completed]


def kubectl_version(path: str) -> tuple[int, int]:
    """Major and minor version of a kubectl."""
    argv = [path, "version", "--client", "-o", "json"]
    told = json.loads(subprocess.run(argv, capture_output=True, check=True).stdout)
    version = told["clientVersion"]
    return int(version["major"]), int(re.sub(r"\D", "", version["minor"]))


@pytest.fixture(scope="module")
def kubectl_path() -> str:
    """An unmodified kubectl that is new enough."""
    path = shutil.which("kubectl")
    if path is None:
        pytest.skip("there is no kubectl in $PATH")
    if kubectl_version(path) < OLDEST:
        pytest.skip(f"{path} is older than 1.30")
    return path


@pytest.fixture
def kubectl(
    kubectl_path: str, cluster: ServedCluster, namespace: Namespace, tmp_path: Path
) -> Kubectl:
    """Runs kubectl in the test's namespace, with a cache of its own."""
    options = ["--kubeconfig", str(cluster.kubeconfig), "--cache-dir", str(tmp_path)]

    def run(*args: str, stdin: str = "") -> Completed:
        return subprocess.run(
            [kubectl_path, *options, "--namespace", namespace.name, *args],
            input=stdin,
            capture_output=True,
            text=True,
            timeout=TIMEOUT_S,
            check=False,
            env={"PATH": os.environ["PATH"], "HOME": str(tmp_path)},
        )

    return run


@pytest.fixture
def running(kubectl: Kubectl) -> Kubectl:
    """kubectl, with a pod `p` that it has created and waited for."""
    created = kubectl("create", "-f", "-", stdin=json.dumps(pod(nodeName="node1")))
    assert created.stdout == "pod/p created\n", created.stderr
    ready = kubectl("wait", "--for=condition=Ready", "pod/p", "--timeout=10s")
    assert ready.returncode == 0, ready.stderr
    return kubectl


def test_get_shows_pods_as_usual(running: Kubectl) -> None:
    header, row = running("get", "pods", "-o", "wide").stdout.splitlines()
    assert header.split()[:6] == ["NAME", "READY", "STATUS", "RESTARTS", "AGE", "IP"]
    assert row.split()[:4] == ["p", "1/1", "Running", "0"]
    assert "node1" in row.split()


def test_get_shows_nodes_as_usual(kubectl: Kubectl) -> None:
    rows = kubectl("get", "nodes", "-o", "wide").stdout.splitlines()[1:]
    assert [row.split()[:2] for row in rows] == [["node1", "Ready"], ["node2", "Ready"]]
    assert "192.168.31.128" in rows[0]


@pytest.mark.parametrize("name", ["net-attach-def", "ds", "ippools", "ns", "ev", "sa", "cm", "all"])
def test_short_names_are_known(kubectl: Kubectl, name: str) -> None:
    completed = kubectl("get", name, "-A")
    assert (completed.returncode, "error" in completed.stderr) == (0, False)


def test_describe_tells_a_pod_with_its_events(running: Kubectl) -> None:
    text = running("describe", "pod", "p").stdout
    assert re.search(r"Node: +node1/192.168.31.128", text)
    assert "Add eth0 [10.200." in text
    assert "Started container main" in text


@pytest.mark.parametrize("what", [("node", "node1"), ("ns", "default"), ("ds", "-A")])
def test_describe_tells_other_kinds(kubectl: Kubectl, what: tuple[str, str]) -> None:
    completed = kubectl("describe", *what)
    assert (completed.returncode, completed.stderr) == (0, "")


@pytest.mark.parametrize("code", [0, 1, 42])
def test_exec_keeps_streams_apart_and_the_exit_status(running: Kubectl, code: int) -> None:
    done = running("exec", "p", "--", "sh", "-c", f"echo out; echo err >&2; exit {code}")
    assert (done.returncode, done.stdout) == (code, "out\n")
    assert done.stderr.startswith("err\n")


def test_exec_feeds_standard_input(running: Kubectl) -> None:
    assert running("exec", "-i", "p", "--", "cat", stdin="one\ntwo\n").stdout == "one\ntwo\n"


def test_exec_of_a_command_that_does_not_exist_says_so(running: Kubectl) -> None:
    done = running("exec", "p", "--", "nosuch")
    assert done.returncode == 1
    assert 'exec: "nosuch": executable file not found in $PATH' in done.stderr


def test_typed_objects_are_created(kubectl: Kubectl) -> None:
    made = kubectl("create", "configmap", "c", "--from-literal=a=b")
    assert made.stdout == "configmap/c created\n", made.stderr
    assert kubectl("get", "cm", "c", "-o", "jsonpath={.data}").stdout == '{"a":"b"}'
    assert kubectl("create", "serviceaccount", "s").returncode == 0


def test_a_field_that_does_not_exist_is_refused(kubectl: Kubectl) -> None:
    refused = kubectl("create", "-f", "-", stdin=json.dumps(pod(foo=1)))
    assert refused.returncode == 1
    assert 'unknown field "spec.foo"' in refused.stderr


def test_an_invalid_pod_is_refused(kubectl: Kubectl) -> None:
    refused = kubectl("create", "-f", "-", stdin=json.dumps(pod(restartPolicy="Foo")))
    assert 'The Pod "p" is invalid: spec.restartPolicy: Unsupported value' in refused.stderr


def test_apply_creates_and_then_configures(kubectl: Kubectl) -> None:
    nad = {
        "apiVersion": "k8s.cni.cncf.io/v1",
        "kind": "NetworkAttachmentDefinition",
        "metadata": {"name": "n"},
        "spec": {"config": "{}"},
    }
    assert kubectl("apply", "-f", "-", stdin=json.dumps(nad)).stdout.endswith(" created\n")
    nad["spec"] = {"config": '{"a":1}'}
    assert kubectl("apply", "-f", "-", stdin=json.dumps(nad)).stdout.endswith(" configured\n")
    assert kubectl("apply", "-f", "-", stdin=json.dumps(nad)).stdout.endswith(" unchanged\n")


def test_labels_can_be_set_and_selected_by(running: Kubectl) -> None:
    assert running("label", "pod", "p", "a=b").returncode == 0
    assert running("get", "pods", "-l", "a=b", "-o", "name").stdout == "pod/p\n"
    assert running("get", "pods", "-l", "a!=b", "-o", "name").stdout == ""


def test_delete_waits_until_the_pod_has_gone(running: Kubectl) -> None:
    assert running("delete", "pod", "p").returncode == 0
    assert "NotFound" in running("get", "pod", "p").stderr


def test_logs_are_shown(kubectl: Kubectl) -> None:
    talking = pod("p", "sh", "-c", "echo hello", restartPolicy="Never")
    kubectl("create", "-f", "-", stdin=json.dumps(talking))
    done = kubectl("wait", "--for=jsonpath={.status.phase}=Succeeded", "pod/p", "--timeout=10s")
    assert done.returncode == 0, done.stderr
    assert kubectl("logs", "p").stdout == "hello\n"


def test_the_owner_of_the_certificate_may_everything(kubectl: Kubectl) -> None:
    assert kubectl("auth", "can-i", "create", "pods").stdout == "yes\n"
