"""What is run inside of namespaces for the tests of this folder; each returns JSON."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

from podmatrix.errors import SandboxError
from podmatrix.lab.netns import create
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


def _bindings(scene: Scene, name: str) -> tuple[str, ...]:
    """Not bound; one pod also to its second interface and to that one's address."""
    return ("", "net1", scene.address(name, "net1")) if name == "dual1-a" else ("",)


def _ask(plan: list[dict[str, Any]]) -> dict[str, Any]:
    completed = subprocess.run(
        [sys.executable, _ORACLE, "ask"],
        input=json.dumps(plan),
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    )
    return dict(json.loads(completed.stdout))


def matrix(topology: dict[str, Any], ipsets: bool | None = None) -> dict[str, Any]:
    """Who sees whom as what, among two pods of each kind on each of two nodes and the nodes."""
    try:
        scene = Scene(topology, ipsets=ipsets)
    except SandboxError as exc:
        return {"denied": str(exc)}
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
                (target, address, bound_to)
                for target, address in targets.items()
                if target.partition(".")[0] != name
                for bound_to in _bindings(scene, name)
            ],
        }
        for name, netns in namespaces.items()
    ]
    return {"targets": targets, "own": _own(scene), "answers": _ask(plan)}


def _own(scene: Scene) -> dict[str, dict[str, str]]:
    """The addresses of the nodes themselves."""
    return {
        slot: {
            "node": str(node.address),
            "cni0": str(node.pod_cidr[1]),
            "flannel.1": str(node.pod_cidr[0]),
            "tunnel": str(node.tunnel_address or node.calico_endpoint),
        }
        for slot, node in zip("ab", scene.plan.nodes, strict=True)
    }


def stranger() -> dict[str, int]:
    """VXLAN packets for Calico's port on the first node: of the second node, then of a stranger.

    Returns how often each rule of felix matched then.
    """
    scene = Scene({"calico": {"encapsulation": "vxlan"}})
    first, second = scene.nodes
    own, peer = str(scene.plan.nodes[0].address), second.netns
    outsider = create("outsider")
    for command in (
        f"ip link add out type veth peer name nic netns {outsider.path}",
        "ip link set out master underlay up",
    ):
        subprocess.run(command.split(), check=True)
    outsider.run(["ip", "address", "add", "192.168.31.77/24", "dev", "nic"])
    outsider.run(["ip", "link", "set", "nic", "up"])
    for netns in (peer, outsider, outsider):
        code = f"import socket; socket.socket(2, 2).sendto(bytes(60), ('{own}', 4789))"
        netns.run([sys.executable, "-c", code])
    outsider.run(["ping", "-n", "-c", "1", "-W", "2", own])  # the packets before it have arrived
    rules = first.netns.run(["iptables-save", "-c", "-t", "filter"]).splitlines()
    return {
        word: int(rule.partition(":")[0][1:])
        for rule in rules
        for word in ("Allow IPv4 VXLAN packets from", "Drop IPv4 VXLAN packets from")
        if word in rule
    }


def damaged(topology: dict[str, Any], commands: list[list[str]]) -> dict[str, Any]:
    """The recorded cluster's pods, after commands that start with a node's name."""
    scene = Scene({**_RECORDED, "calico": {"encapsulation": "none"}} | topology)
    addresses = {}
    for node, slot in enumerate(("node1", "node2")):
        for kind, annotations in _KINDS.items():
            name = f"{kind}-{slot}"
            scene.add(node, name, annotations)
            addresses[name] = scene.address(name, "eth0")
            if kind == "dual":
                addresses[f"{name}/net1"] = scene.address(name, "net1")
    nodes = {node.name: node.netns for node in scene.nodes}
    for network, sandbox, _ in scene.pods.values():
        # Else a dual pod's first packet by eth0 may be a reply of net1's: the kernel then asks for
        # 169.254.1.1 with net1's address (net/ipv4/arp.c, arp_solicit), the node's rp_filter leaves
        # that unanswered, and eth0 is dead for seconds. The recorded pods had asked before.
        sandbox.netns.run(["ping", "-n", "-c", "1", "-W", "5", str(network.node.address)])
    for name, *argv in commands:
        nodes[name].run([word.format(block=scene.plan.nodes[1].block) for word in argv])
    answers = _ask(
        [
            {
                "name": name,
                "netns": str(sandbox.netns.path),
                "targets": [
                    (target, address, "")
                    for target, address in addresses.items()
                    if target.partition("/")[0] != name
                ],
            }
            for name, (_, sandbox, _) in scene.pods.items()
        ]
    )
    return {"answers": answers, "bridge_netfilter": _bridge_netfilter(scene)}


def _bridge_netfilter(scene: Scene) -> bool:
    return scene.nodes[0].netns.get_sysctl("net.bridge.bridge-nf-call-iptables") == "1"


def recorded(encapsulation: str) -> dict[str, Any]:
    """The cluster of the recordings, as its tools show it on node1 and in the pods there."""
    scene = Scene({**_RECORDED, "calico": {"encapsulation": encapsulation, "mtu": 1480}})
    for kind in ("flannel", "dual", "calico"):
        scene.add(0, f"{kind}-node1", _KINDS[kind])
    run = scene.nodes[0].netns.run
    return {
        "block": str(scene.plan.nodes[0].block),
        "peer_block": str(scene.plan.nodes[1].block),
        "annotations": dict(scene.nodes[0].annotations),
        "subnet.env": (scene.nodes[0].files / "run/flannel/subnet.env").read_text(),
        "cni": sorted(file.name for file in (scene.nodes[0].files / "etc/cni/net.d").iterdir()),
        "iptables-save.txt": run(["iptables-save", "-c"]),
        "ipset.txt": run(["ipset", "list"]),
        "sysctl.txt": run(["sysctl", "-a"]),
        **{
            name: json.loads(run(argv))
            for name, argv in {
                "ip-link.json": ["ip", "-j", "-d", "link", "show"],
                "ip-addr.json": ["ip", "-j", "address", "show"],
                "ip-route.json": ["ip", "-j", "route", "show", "table", "all"],
                "ip-rule.json": ["ip", "-j", "rule", "show"],
                "ip-neigh.json": ["ip", "-j", "neigh", "show"],
                "bridge-fdb.json": ["bridge", "-j", "fdb", "show"],
            }.items()
        },
        "pods": {
            name.removesuffix("-node1"): {
                "ip-addr.json": json.loads(
                    sandbox.netns.run(["ip", "-j", "-d", "address", "show"])
                ),
                "ip-route.txt": sandbox.netns.run(["ip", "route", "show"]),
                "annotations": dict(result.annotations),
                "sandbox_id": sandbox.sandbox_id,
            }
            for name, (_, sandbox, result) in scene.pods.items()
        },
    }
