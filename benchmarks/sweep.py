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
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TypeVar

import yaml

from podmatrix.cluster.client import Cluster, connect
from podmatrix.cluster.sweep import SweepResult, sweep
from podmatrix.cluster.testbed import Testbed, deploy
from podmatrix.lab.launch import Lab, start_lab
from podmatrix.lab.topology import load_topology
from podmatrix.model import Node, PodRole
from podmatrix.plan import Plan, make_plan, slots_for
from podmatrix.profile import Profile, load_profile

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
    took_s, testbed = timed(
        "48 pods on them created", lambda: make_testbed(cluster, profile, plan.roles, nodes)
    )
    try:
        ready_s, _ = timed("48 pods on them Running, from there on", testbed.wait_ready)
        report("48 pods on them Running (at most 5 s)", f"{took_s + ready_s:.2f} s")
        measure_sweep(running, testbed, plan)
    finally:
        testbed.delete()
    own_mb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    report("largest resident memory of this process", f"{own_mb:.0f} MB")


def make_testbed(
    cluster: Cluster, profile: Profile, roles: Sequence[PodRole], nodes: Sequence[Node]
) -> Testbed:
    """Create the pods; quiet."""
    return deploy(
        cluster,
        profile,
        roles,
        nodes,
        run_id="benchmark",
        image="any",
        timeout_s=120,
        progress=lambda _line: None,
    )


def measure_sweep(running: Lab, testbed: Testbed, plan: Plan) -> None:
    """The sweep against one plain fping per pod, and against one kubectl exec per pair."""
    cluster, pairs = testbed.cluster, len(plan.cells)

    def swept() -> SweepResult:
        return sweep(cluster, testbed.pods, plan.cells, roles=plan.roles, timeout_s=120)

    sweep_s, result = timed(f"sweep of {pairs} pairs", swept)
    wrong = [cell for cell in result.cells if cell.outcome != "reachable"]
    report("execs of that sweep; cells not reachable", f"{result.execs}; {len(wrong)}")
    raw_s, _ = timed("one fping per pod in the same namespaces", lambda: raw(running, testbed))
    report("sweep / raw fping (at most 3)", f"{sweep_s / raw_s:.2f}")
    pair_s = one_by_one(running, testbed)
    report("pair by pair / sweep (at least 50)", f"{pair_s * pairs / sweep_s:.0f}")
    report(
        "resident memory of the lab process (under 150 MB)", f"{pss_mb(server_of(running)):.0f} MB"
    )


def raw(running: Lab, testbed: Testbed) -> None:
    """One fping per pod, all at once, entered with nsenter and `ip netns`, nothing else."""
    addresses = " ".join(pod.pod_ips[0] for pod in testbed.pods)
    script = (
        "test -e /run/netns || exit 1; for ns in /run/netns/cni-*; do nsenter --net=$ns "
        f"fping -q -C 3 -i 1 -p 30 -t 500 {addresses} >/dev/null 2>&1 & done; wait"
    )
    enter = ["nsenter", "-t", str(server_of(running)), "-U", "--preserve-credentials", "-n", "-m"]
    subprocess.run([*enter, "sh", "-c", script], check=True)


def one_by_one(running: Lab, testbed: Testbed) -> float:
    """Seconds that one `kubectl exec ... ping -c 1` takes, over 20 pairs."""
    if shutil.which("kubectl") is None:
        report("kubectl", "absent: pair by pair not measured")
        return 0.0
    first = testbed.pods[0]
    exec_in = ["kubectl", f"--kubeconfig={running.kubeconfig}", "exec", "-n", first.namespace]
    start = time.monotonic()
    for pod in testbed.pods[1:21]:
        subprocess.run(
            [*exec_in, first.name, "--", "ping", "-c", "1", "-W", "1", pod.pod_ips[0]],
            check=True,
            stdout=subprocess.DEVNULL,
            env={**os.environ, "LC_ALL": "C"},
        )
    return (time.monotonic() - start) / 20


def server_of(running: Lab) -> int:
    """The lab's server: the first process starts process 1 of the sandbox, and that the server."""
    pid = running.pid
    for _ in range(2):
        pid = min(
            int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
        )
    return pid


def pss_mb(pid: int) -> float:
    """Proportional memory of a process in MiB (proc_pid_smaps(5))."""
    for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
        if line.startswith("Pss:"):
            return int(line.split()[1]) / 1024
    raise ValueError(f"no Pss in /proc/{pid}/smaps_rollup")


if __name__ == "__main__":
    main()
