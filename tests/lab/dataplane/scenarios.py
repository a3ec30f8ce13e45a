"""What is run inside of namespaces for the tests of this folder; each returns JSON."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

from tests.lab.scene import DUAL, ON_FLANNEL, Scene

_ORACLE = Path(__file__).with_name("oracle.py")
_KINDS: dict[str, dict[str, str]] = {"calico": {}, "flannel": ON_FLANNEL, "dual": DUAL}
_RECORDED = {
    "nic": "eth0",
    "nodes": [
        {"name": "node1", "address": "192.168.31.128"},
        {"name": "node2", "address": "192.168.31.129"},
    ],
    "calico": {"encapsulation": "vxlan", "mtu": 1480},
}


def matrix(topology: dict[str, Any]) -> dict[str, Any]:
    """Who sees whom as what, among two pods of each kind on each of two nodes and the nodes."""
    scene = Scene(topology)
    namespaces, targets = {}, {}
    for node, slot in enumerate("ab"):
        namespaces[f"host-{slot}"] = scene.nodes[node].netns
        targets[f"host-{slot}"] = str(scene.plan.nodes[node].address)
        for kind, annotations in _KINDS.items():
            for number in "12":
                name = f"{kind}{number}-{slot}"
                scene.add(node, name, annotations)
                namespaces[name] = scene.pods[name][1].netns
                targets[f"{name}.eth0"] = scene.address(name, "eth0")
                if kind == "dual":
                    targets[f"{name}.net1"] = scene.address(name, "net1")
    plan = [
        {
            "name": name,
            "netns": str(netns.path),
            "targets": [
                (target, address, device)
                for target, address in targets.items()
                if target.partition(".")[0] != name
                for device in (("", "net1") if name == "dual1-a" else ("",))
            ],
        }
        for name, netns in namespaces.items()
    ]
    answers = subprocess.run(
        [sys.executable, _ORACLE, "ask"],
        input=json.dumps(plan),
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    )
    own = {
        slot: {
            "node": str(node.address),
            "cni0": str(node.pod_cidr[1]),
            "flannel.1": str(node.pod_cidr[0]),
            "tunnel": str(node.tunnel_address or node.address),
        }
        for slot, node in zip("ab", scene.plan.nodes, strict=True)
    }
    return {"targets": targets, "own": own, "answers": json.loads(answers.stdout)}
