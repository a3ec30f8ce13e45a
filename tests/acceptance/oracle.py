"""Pings between all pods of a cluster on this machine, seen through kubectl and nsenter alone.

Uses no code of podmatrix: it is what the matrix is compared with.
"""

import json
import os
import subprocess
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

NETWORK_STATUS = "k8s.v1.cni.cncf.io/network-status"


@dataclass(frozen=True)
class Pod:
    """A pod, a process in its network namespace, and its addresses by interface."""

    name: str
    pid: int
    host_network: bool
    addresses: dict[str, str]


def kubectl(kubeconfig: Path, *args: str, stdin: str | None = None) -> str:
    """Standard output of an unmodified kubectl; an error of it is an error of the test."""
    done = subprocess.run(
        ["kubectl", f"--kubeconfig={kubeconfig}", *args],
        input=stdin,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, f"kubectl {' '.join(args)}: {done.stderr}"
    return done.stdout


def pods(kubeconfig: Path, namespace: str) -> list[Pod]:
    """All pods of a namespace."""
    listed = json.loads(kubectl(kubeconfig, "get", "pods", "-n", namespace, "-o", "json"))
    return [_pod(kubeconfig, namespace, item) for item in listed["items"]]


def _pod(kubeconfig: Path, namespace: str, item: dict[str, dict[str, object]]) -> Pod:
    name = str(item["metadata"]["name"])
    netns = kubectl(
        kubeconfig, "exec", "-n", namespace, name, "--", "readlink", "/proc/self/ns/net"
    ).strip()
    annotations = item["metadata"].get("annotations") or {}
    assert isinstance(annotations, dict)
    addresses = {
        str(entry.get("interface", "eth0")): str(entry["ips"][0])
        for entry in json.loads(annotations.get(NETWORK_STATUS, "[]"))
    }
    host_network = bool(item["spec"].get("hostNetwork"))
    if host_network:
        addresses = {"": str(item["status"]["hostIP"])}
    return Pod(name, _a_process_in(netns), host_network, addresses)


def _a_process_in(netns: str) -> int:
    for entry in Path("/proc").iterdir():
        if entry.name.isdecimal() and _link(entry / "ns" / "net") == netns:
            return int(entry.name)
    raise AssertionError(f"no process on this machine is in {netns}")


def _link(path: Path) -> str:
    try:
        return os.readlink(path)
    except OSError:  # gone meanwhile, or somebody else's
        return ""


def ping(source: Pod, address: str, interface: str | None = None) -> bool:
    """Whether one of three packets is answered."""
    bound = ["-I", interface] if interface else []
    enter = ["nsenter", "-t", str(source.pid), "-U", "--preserve-credentials", "-n"]
    done = subprocess.run(
        [*enter, "ping", "-n", "-q", "-c", "3", "-i", "0.2", "-W", "1", *bound, address],
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )
    assert done.returncode in (0, 1), f"ping in {source.name}: {done.stderr}"
    return done.returncode == 0


def matrix(all_pods: list[Pod], bound: list[tuple[str, str, str]]) -> dict[str, bool]:
    """Reached or not, by `source--destination[-interface]`, natural, then the bound ones asked for.

    `bound` holds (source pod, interface, destination id).
    """
    questions = dict(_questions(all_pods))
    by_name = {pod.name: pod for pod in all_pods}
    destinations = {key.split("--")[1]: address for key, (_, address, _) in questions.items()}
    for name, interface, destination in bound:
        key = f"{name}-{interface}--{destination}"
        questions[key] = (by_name[name], destinations[destination], interface)
    with ThreadPoolExecutor(16) as pool:
        answers = pool.map(lambda question: ping(*question), questions.values())
        return dict(zip(questions, answers, strict=True))


def _questions(all_pods: list[Pod]) -> Iterator[tuple[str, tuple[Pod, str, str | None]]]:
    for source in all_pods:
        for destination in all_pods:
            if source.name == destination.name:
                continue
            for interface, address in destination.addresses.items():
                suffix = f"-{interface}" if interface else ""
                yield f"{source.name}--{destination.name}{suffix}", (source, address, None)
