import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.acceptance.conftest import AcceptanceRun
from tests.acceptance.oracle import kubectl

DROP = ["INPUT", "-p", "udp", "--dport", "8472", "-j", "DROP"]


def test_flannel_dropped_on_one_node_reddens_what_crosses_nodes_over_flannel_and_nothing_else(
    detached_lab: Path, tmp_path: Path
) -> None:
    nodes = kubectl(detached_lab, "get", "nodes", "-o", "name").split()
    with _privileged_pod(detached_lab, nodes[-1].removeprefix("node/")) as shell:
        kubectl(detached_lab, "exec", shell, "--", "iptables", "-I", *DROP)
        broken = AcceptanceRun(detached_lab, tmp_path)
        kubectl(detached_lab, "exec", shell, "--", "iptables", "-D", *DROP)
        mended = AcceptanceRun(detached_lab, tmp_path)
    crossing = {
        cell["id"]
        for cell in broken.report["cells"]
        if cell["destination"]["network"] == "flannel"
        and cell["destination"]["slot"] != cell["source"]["slot"]
    }
    assert (broken.wrong, mended.wrong) == (crossing, set())
    assert len(crossing) == 20
    assert (broken.done.returncode, mended.done.returncode) == (1, 0)


@contextmanager
def _privileged_pod(kubeconfig: Path, node: str) -> Iterator[str]:
    container = {
        "name": "shell",
        "image": "shell",
        "command": ["sleep", "infinity"],
        "securityContext": {"privileged": True},
    }
    pod = {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": "shell"},
        "spec": {"hostNetwork": True, "nodeName": node, "containers": [container]},
    }
    kubectl(kubeconfig, "create", "-f", "-", stdin=json.dumps(pod))
    kubectl(kubeconfig, "wait", "--for=condition=Ready", "pod/shell", "--timeout=30s")
    try:
        yield "shell"
    finally:
        kubectl(kubeconfig, "delete", "pod", "shell", "--grace-period=0", "--force")
