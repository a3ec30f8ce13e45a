"""What a run costs on this machine: `python -m benchmarks.sweep [--quick]`. For information only.

Times are wall clock; what counts are the ratios, taken in one run. Needs what the lab needs.
"""

import argparse
import os
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TypeVar

import yaml

from podmatrix.cluster.client import Cluster, connect
from podmatrix.cluster.sweep import sweep
from podmatrix.cluster.testbed import Testbed
from podmatrix.lab.launch import Lab, start_lab
from podmatrix.lab.topology import load_topology
from podmatrix.model import Node
from podmatrix.plan import make_plan, slots_for
from podmatrix.profile import load_profile

CHECKOUT = Path(__file__).resolve().parents[1]
T = TypeVar("T")

# 16 nodes x 3 single-interface pods = 48 pods, 2,256 ordered pairs.
PROFILE = {
    "apiVersion": "podmatrix.io/v1alpha1",
    "kind": "Profile",
    "metadata": {"name": "benchmark"},
    "networks": {
        "calico": {"cni": "calico", "attach": "default"},
        "flannel": {"cni": "flannel", "attach": "default/flannel-conf"},
    },
    "pods": {
        "calico": {"eth0": "calico"},
        "flannel": {"eth0": "flannel"},
        "business": {"eth0": "calico"},
    },
    "reachability": {"default": "required", "rules": []},
}


def timed(what: str, action: Callable[[], T]) -> tuple[float, T]:
    """Run `action`; print and return how many seconds it took, with its result."""
    start = time.monotonic()
    result = action()
    took_s = time.monotonic() - start
    report(what, f"{took_s:.2f} s")
    return took_s, result


def report(what: str, figure: str) -> None:
    """One line of the result."""
    sys.stdout.write(f"{what:<58} {figure}\n")
    sys.stdout.flush()


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.sweep", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="leave out the acceptance run")
    args = parser.parse_args()
    if not args.quick:
        timed("acceptance run, 2 nodes, 8 pods, process start to exit", acceptance)
    with lab(2, "lab of 2 nodes ready for pods"):
        pass
    with lab(16, "lab of 16 nodes ready for pods") as large:
        measure_large(large)


def acceptance() -> None:
    """The run that `make acceptance` is, once everything is set up."""
    subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider"],
        cwd=CHECKOUT,
        check=True,
        stdout=subprocess.DEVNULL,
    )


@contextmanager
def lab(nodes: int, what: str) -> Iterator[Lab]:
    """A lab, its start timed."""
    topology = load_topology(None).with_nodes(nodes)
    _, running = timed(what, lambda: start_lab(topology))
    with running:
        yield running


def measure_large(running: Lab) -> None:
    """48 pods on 16 nodes: start, sweep against one fping per pod, memory."""
    cluster = connect(kubeconfig=running.kubeconfig)
    with tempfile.NamedTemporaryFile("w", suffix=".yaml") as file:
        yaml.safe_dump(PROFILE, file)
        file.flush()
        profile = load_profile(file.name)
    live = cluster.nodes()
    slots = slots_for(len(live))
    nodes = tuple(
        Node(slot=slot, name=node.name, internal_ip=node.internal_ip)
        for slot, node in zip(slots, live, strict=True)
    )
    plan = make_plan(profile, slots)
    testbed = Testbed(cluster, profile, plan.roles, nodes, run_id="benchmark")
    with testbed:
        timed("48 pods on them Running", testbed.deploy)
        pairs = len(plan.cells)
        sweep_s, result = timed(f"sweep of {pairs} pairs", lambda: sweep(testbed, plan.cells))
        wrong = [cell for cell in result.cells if cell.outcome != "reachable"]
        report("execs of that sweep; cells not reachable", f"{result.execs}; {len(wrong)}")
        raw_s, _ = timed("one fping per pod in the same namespaces", lambda: raw(running, testbed))
        report("sweep / raw fping (at most 3)", f"{sweep_s / raw_s:.2f}")
        pair_s = one_by_one(running, cluster, testbed)
        report("pair by pair with kubectl exec / sweep (at least 50)", f"{pair_s * pairs / sweep_s:.0f}")
        report("resident memory of the lab process (under 150 MB)", f"{rss_mb(running.pid):.0f} MB")
    own_mb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    report("largest resident memory of this process", f"{own_mb:.0f} MB")


def raw(running: Lab, testbed: Testbed) -> None:
    """One fping per pod, all at once, entered with nsenter and `ip netns`, nothing else."""
    addresses = " ".join(pod.pod_ips[0] for pod in testbed.pods)
    script = (
        "for ns in /run/netns/cni-*; do nsenter --net=$ns "
        f"fping -q -C 3 -p 30 -t 500 {addresses} >/dev/null 2>&1 & done; wait"
    )
    enter = ["nsenter", "-t", str(running.pid), "-U", "--preserve-credentials", "-n", "-m"]
    subprocess.run([*enter, "sh", "-c", script], check=True)


def one_by_one(running: Lab, cluster: Cluster, testbed: Testbed) -> float:
    """Seconds that one `kubectl exec ... ping -c 1` takes, over 20 pairs."""
    if shutil.which("kubectl") is None:
        report("kubectl", "absent: pair by pair not measured")
        return 0.0
    first = testbed.pods[0]
    start = time.monotonic()
    for pod in testbed.pods[1:21]:
        subprocess.run(
            ["kubectl", f"--kubeconfig={running.kubeconfig}", "exec", "-n", first.namespace]
            + [first.name, "--", "ping", "-c", "1", "-W", "1", pod.pod_ips[0]],
            check=True,
            stdout=subprocess.DEVNULL,
            env={**os.environ, "LC_ALL": "C"},
        )
    return (time.monotonic() - start) / 20


def rss_mb(pid: int) -> float:
    """Resident memory of a process in MiB (proc_pid_status(5))."""
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1]) / 1024
    raise ValueError(f"no VmRSS in /proc/{pid}/status")


if __name__ == "__main__":
    main()
