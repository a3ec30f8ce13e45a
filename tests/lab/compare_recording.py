"""Compare a running lab with the recording of a real cluster, field by field.

    python -m tests.lab.compare_recording --kubeconfig FILE RECORDING/before

Nothing of the lab's code is used: the recorded pods and NADs are created by kubectl, nodes are read
by their own tools in privileged hostNetwork pods. The lab must have the recorded shape, which
`TOPOLOGY` is. Every difference must be among the known ones, each with its reason
(`recorded_differences.py`); else it is printed and the exit status is 1.
"""

import argparse
import json
import re
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from podmatrix.polling import wait_until
from tests.lab.recorded_differences import KNOWN
from tests.lab.recorded_fields import Fields, Snapshot, fields

TOPOLOGY = """\
apiVersion: podmatrix.io/v1alpha1
kind: Topology
metadata: {name: recorded}
nodes:
  - {name: node1, address: 192.168.31.128}
  - {name: node2, address: 192.168.31.129}
nic: eth0
calico: {encapsulation: vxlan, cross_subnet: true, mtu: 1480}
bridge_plugin: "1.x"
"""
NAMESPACE = "net"
_INTERFACE = r"(rp_filter|forwarding|proxy_arp|proxy_arp_pvlan|accept_local) ="
_SYSCTLS = rf"^net\.(bridge\.|ipv4\.ip_forward|ipv4\.conf\.[^.]+\.{_INTERFACE})"
_NODE = {
    "ip-link.json": "ip -j -d link show",
    "ip-addr.json": "ip -j address show",
    "ip-route.json": "ip -j route show table all",
    "ip-rule.json": "ip -j rule show",
    "ip-neigh.json": "ip -j neigh show",
    "bridge-fdb.json": "bridge -j fdb show",
    "bridge-link.json": "bridge -j -d link show",
    "iptables-save.txt": "iptables-save -c",
    "ipset.txt": "ipset list",
    "sysctl.txt": f"sysctl -a 2>/dev/null | grep -E '{_SYSCTLS}'",
    "files/subnet.env": "cat /host/run/flannel/subnet.env",
}
_POD = {
    "ip-addr.json": "ip -j -d address show",
    "ip-route.json": "ip -j route show",
}
_API = {
    "nodes": ("get", "nodes"),
    "pods": ("get", "pods", "-n", NAMESPACE),
    "network-attachment-definitions": ("get", "net-attach-def", "-n", "default"),
    "events": ("get", "events", "-n", NAMESPACE),
    "calico": ("get", "ippools.crd.projectcalico.org"),
}
_APPLIED = "kubectl.kubernetes.io/last-applied-configuration"


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """A field that is not the same; None where a side does not have it. `reason`: why, if known."""

    field: str
    here: str | None
    recorded: str | None
    reason: str = ""

    def __str__(self) -> str:
        return f"{self.field}\n    here:     {self.here}\n    recorded: {self.recorded}"


class Cluster:
    """What kubectl can do to it."""

    def __init__(self, kubeconfig: Path) -> None:
        self._argv = ["kubectl", "--kubeconfig", str(kubeconfig)]

    def kubectl(self, *argv: str, stdin: str = "") -> str:
        """Its stdout. Raises CalledProcessError."""
        completed = subprocess.run(
            [*self._argv, *argv], input=stdin, capture_output=True, text=True, check=False
        )
        if completed.returncode:
            raise RuntimeError(f"kubectl {' '.join(argv)}: {completed.stderr}")
        return completed.stdout

    def shell(self, pod: str, command: str, namespace: str) -> str:
        """Run a command line in a pod."""
        return self.kubectl("exec", "-n", namespace, pod, "--", "sh", "-c", command)


def read_recording(directory: Path) -> Snapshot:
    """The files of a recording's `before` or `after`."""
    files = (file for file in directory.rglob("*") if file.is_file())
    return {str(file.relative_to(directory)): file.read_text() for file in files}


def take(cluster: Cluster, recording: Snapshot) -> Snapshot:
    """Create what was recorded, and record it: the same files."""
    pods = _recorded_pods(recording)
    nodes = sorted({pod["spec"]["nodeName"] for pod in _items(recording, "pods")})
    _deploy(cluster, recording, pods, nodes)
    taken = {
        f"nodes/{node}/{file}": cluster.shell(f"read-{node}", command, "default")
        for node in nodes
        for file, command in _NODE.items()
    }
    for pod in pods:
        name = pod["metadata"]["name"]
        for file, command in _POD.items():
            taken[f"pods/{name}/{file}"] = cluster.shell(name, command, NAMESPACE)
    for name, argv in _API.items():
        taken[f"api/{name}.json"] = cluster.kubectl(*argv, "-o", "json")
    for pod in json.loads(taken["api/pods.json"])["items"]:
        status = pod["metadata"]["annotations"]["k8s.v1.cni.cncf.io/network-status"]
        taken[f"pods/{pod['metadata']['name']}/network-status.json"] = status
    return taken


def compare(here: Snapshot, recording: Snapshot) -> list[Difference]:
    """What differs, in the order of the recording."""
    ours, theirs = fields(here), fields(recording)
    paths = {field.split(" ", 1)[0] for field in ours}
    theirs = {key: value for key, value in theirs.items() if key.split(" ", 1)[0] in paths}
    return list(_differences(ours, theirs))


def _differences(ours: Fields, theirs: Fields) -> Iterator[Difference]:
    for field in dict.fromkeys([*theirs, *ours]):
        if ours.get(field) != theirs.get(field):
            reason = next((why for known, why in KNOWN.items() if re.search(known, field)), "")
            yield Difference(
                field=field, here=ours.get(field), recorded=theirs.get(field), reason=reason
            )


def _items(recording: Snapshot, kind: str) -> list[dict[str, Any]]:
    return list(json.loads(recording[f"api/{kind}.json"])["items"])


def _recorded_pods(recording: Snapshot) -> list[dict[str, Any]]:
    """As they were applied."""
    annotations = (pod["metadata"]["annotations"] for pod in _items(recording, "pods"))
    return [json.loads(one[_APPLIED]) for one in annotations]


def _deploy(
    cluster: Cluster, recording: Snapshot, pods: Sequence[Mapping[str, Any]], nodes: Sequence[str]
) -> None:
    cluster.kubectl("create", "namespace", NAMESPACE)
    for nad in _items(recording, "network-attachment-definitions"):
        bare = {**nad, "metadata": {k: nad["metadata"][k] for k in ("name", "namespace")}}
        cluster.kubectl("apply", "-f", "-", stdin=json.dumps(bare))
    for pod in pods:
        cluster.kubectl("apply", "-f", "-", stdin=json.dumps(pod))
    cluster.kubectl(
        "wait", "pod", "--all", "-n", NAMESPACE, "--for=condition=Ready", "--timeout=60s"
    )
    for node in nodes:
        cluster.kubectl("create", "-f", "-", stdin=json.dumps(_reader(node)))
    for node in nodes:
        cluster.kubectl("wait", f"pod/read-{node}", "--for=condition=Ready", "--timeout=60s")
        wait_until(
            partial(_no_tentative_address, cluster, node),
            timeout_s=30,
            what=f"IPv6 addresses of {node} to be found unique",
        )


def _no_tentative_address(cluster: Cluster, node: str) -> bool:
    return not cluster.shell(f"read-{node}", "ip -6 -o address show tentative", "default")


def _reader(node: str) -> dict[str, Any]:
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": f"read-{node}", "namespace": "default"},
        "spec": {
            "hostNetwork": True,
            "nodeName": node,
            "terminationGracePeriodSeconds": 0,
            "volumes": [{"name": "run", "hostPath": {"path": "/run"}}],
            "containers": [
                {
                    "name": "read",
                    "image": "localhost/probe:1",
                    "command": ["sleep", "infinity"],
                    "securityContext": {"privileged": True},
                    "volumeMounts": [{"name": "run", "mountPath": "/host/run"}],
                }
            ],
        },
    }


def main() -> int:
    """The exit status: 0 where every difference is known."""
    parser = argparse.ArgumentParser(
        description=__doc__, prog="python -m tests.lab.compare_recording"
    )
    parser.add_argument("--kubeconfig", type=Path, required=True, help="of the running lab")
    parser.add_argument("recording", type=Path, help="folder with nodes, pods and api")
    options = parser.parse_args()
    recording = read_recording(options.recording)
    here = take(Cluster(options.kubeconfig), recording)
    same = len(fields(here))
    found = compare(here, recording)
    unknown = [one for one in found if not one.reason]
    for one in unknown:
        sys.stdout.write(f"{one}\n")
    sys.stdout.write(f"{same} fields, {len(found)} differ, {len(unknown)} without a known reason\n")
    for reason in dict.fromkeys(one.reason for one in found if one.reason):
        count = sum(one.reason == reason for one in found)
        sys.stdout.write(f"{count:6} {reason}\n")
    return 1 if unknown else 0


if __name__ == "__main__":
    sys.exit(main())
