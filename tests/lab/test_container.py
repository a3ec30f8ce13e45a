import json
import os
import uuid
from pathlib import Path

import pytest

from tests.lab.conftest import RunningLab
from tests.lab.machine import run, server_process

pytestmark = pytest.mark.xdist_group("lab")
DEFAULT_CAPABILITIES = "00000000a80425fb"
PING_GROUPS = {"sysctls": [{"name": "net.ipv4.ping_group_range", "value": "0 2147483647"}]}


def capabilities(**context: object) -> dict[str, object]:
    return {"securityContext": context}


def test_the_command_is_process_1_among_its_own(shared_lab: RunningLab, tmp_path: Path) -> None:
    shared_lab.deploy(tmp_path, "alone")
    own = shared_lab.execute("alone", "ps", "-o", "args=", "1")
    others = shared_lab.execute("alone", "ps", "-e", "-o", "args=")
    assert own.out == "sleep 600\n"
    assert others.out.splitlines() == ["sleep 600", "ps -e -o args="]


def test_a_pod_has_its_name_and_its_address_in_hosts(
    shared_lab: RunningLab, tmp_path: Path
) -> None:
    shared_lab.deploy(tmp_path, "named", hostname="another")
    seen = shared_lab.execute("named", "sh", "-c", "hostname; cat /etc/hostname /etc/hosts")
    address = shared_lab.kubectl("get", "pod", "named", "-o", "jsonpath={.status.podIP}").out
    assert seen.out.startswith("another\nanother\n")
    assert f"{address}\tanother\n" in seen.out


def test_a_host_network_pod_is_the_node(shared_lab: RunningLab, tmp_path: Path) -> None:
    shared_lab.deploy(tmp_path, "agent", hostNetwork=True, nodeName="k8s-node")
    seen = shared_lab.execute("agent", "sh", "-c", "hostname; ip -br -4 address show ens33")
    assert seen.out.split()[0] == "k8s-node"
    assert "192.168.31.129/24" in seen.out


@pytest.mark.parametrize(
    ("name", "context", "effective"),
    [
        ("default", {}, DEFAULT_CAPABILITIES),
        ("dropped", {"capabilities": {"drop": ["ALL"]}}, "0000000000000000"),
        (
            "raw-only",
            {"capabilities": {"drop": ["ALL"], "add": ["NET_RAW"]}},
            "0000000000002000",
        ),
    ],
)
def test_capabilities_are_those_of_the_spec(
    shared_lab: RunningLab, tmp_path: Path, name: str, context: dict[str, object], effective: str
) -> None:
    shared_lab.deploy(tmp_path, name, container=capabilities(**context))
    both = shared_lab.execute(name, "grep", "-h", "CapEff", "/proc/1/status", "/proc/self/status")
    assert both.out.split()[1::2] == [effective, effective]


def test_ping_needs_no_capability_with_the_sysctl(shared_lab: RunningLab, tmp_path: Path) -> None:
    dropped = capabilities(capabilities={"drop": ["ALL"]})
    shared_lab.deploy(tmp_path, "pinger", container=dropped, securityContext=PING_GROUPS)
    command = "cp $(command -v ping) /tmp/ping && /tmp/ping -c 1 -W 2 192.168.31.129"
    seen = shared_lab.execute("pinger", "sh", "-c", command)
    assert (seen.code, "1 received" in seen.out) == (0, True)


def test_a_privileged_agent_changes_its_node_only(shared_lab: RunningLab, tmp_path: Path) -> None:
    privileged = capabilities(privileged=True)
    for node in ("k8s-master", "k8s-node"):
        shared_lab.deploy(
            tmp_path, f"on-{node}", container=privileged, hostNetwork=True, nodeName=node
        )
    rule = ("iptables", "-A", "INPUT", "-p", "udp", "--dport", "9999", "-j", "DROP")
    assert shared_lab.execute("on-k8s-node", *rule).code == 0
    saved = [
        "dport 9999" in shared_lab.execute(f"on-{node}", "iptables-save").out
        for node in ("k8s-master", "k8s-node")
    ]
    assert saved == [False, True]


def test_a_host_path_is_the_nodes(shared_lab: RunningLab, tmp_path: Path) -> None:
    shared_lab.deploy(
        tmp_path,
        "reader",
        nodeName="k8s-node",
        container={
            "volumeMounts": [
                {"name": "run", "mountPath": "/host/run/flannel", "readOnly": True},
                {"name": "own", "mountPath": "/opt/own/place"},
            ]
        },
        volumes=[
            {"name": "run", "hostPath": {"path": "/run/flannel"}},
            {"name": "own", "emptyDir": {}},
        ],
    )
    read = shared_lab.execute("reader", "cat", "/host/run/flannel/subnet.env")
    written = shared_lab.execute("reader", "touch", "/host/run/flannel/x")
    own = shared_lab.execute("reader", "touch", "/opt/own/place/x")
    assert "FLANNEL_SUBNET=10.244.1.1/24" in read.out
    assert (written.code, own.code) == (1, 0)
    assert "Read-only file system" in written.err


def test_without_a_host_path_the_nodes_files_are_not_there(
    shared_lab: RunningLab, tmp_path: Path
) -> None:
    shared_lab.deploy(tmp_path, "plain")
    seen = shared_lab.execute("plain", "ls", "/run/flannel/subnet.env", "/etc/cni/net.d")
    assert seen.out == ""


@pytest.mark.parametrize("context", [{}, {"privileged": True}], ids=["default", "privileged"])
def test_the_hosts_disk_cannot_be_written(
    shared_lab: RunningLab, tmp_path: Path, context: dict[str, object]
) -> None:
    name, mark = f"writer-{len(context)}", f"podmatrix-{uuid.uuid4()}"
    mount = {"name": "node", "mountPath": "/node"}
    shared_lab.deploy(
        tmp_path,
        name,
        container={**capabilities(**context), "volumeMounts": [mount]},
        volumes=[{"name": "node", "hostPath": {"path": "/"}}],
    )
    for directory in ("/usr", "/etc", os.path.dirname(os.path.realpath(__file__))):
        own = f"mount -o remount,rw {directory}; touch {directory}/{mark}"
        through_the_node = own.replace(f"{directory}", f"/node{directory}")
        shared_lab.execute(name, "sh", "-c", own)
        refused = shared_lab.execute(name, "sh", "-c", through_the_node)
        written = Path(directory, mark)
        leaked = written.exists()
        written.unlink(missing_ok=True)
        assert not leaked
        assert "Read-only file system" in refused.err or "No such file" in refused.err


def test_the_hosts_settings_cannot_be_written(shared_lab: RunningLab, tmp_path: Path) -> None:
    shared_lab.deploy(tmp_path, "tuner", container=capabilities(privileged=True))
    host = shared_lab.execute("tuner", "sh", "-c", "echo 1 > /proc/sys/kernel/panic_on_oops")
    own = shared_lab.execute("tuner", "sh", "-c", "echo 0 > /proc/sys/net/ipv4/ip_forward")
    assert (host.code, own.code) == (2, 0)


def test_an_address_comes_back_from_a_pod_that_ignores_its_end(
    shared_lab: RunningLab, tmp_path: Path
) -> None:
    stubborn = {"command": ["sh", "-c", "trap '' TERM INT HUP; while :; do sleep 1; done"]}
    shared_lab.deploy(tmp_path, "stubborn", container=stubborn, nodeName="k8s-node")
    shared_lab.kubectl("exec", "stubborn", "--", "sh", "-c", "setsid sleep 600 >/dev/null 2>&1 &")
    shared_lab.deploy(tmp_path, "watcher", hostNetwork=True, nodeName="k8s-node")
    address = shared_lab.kubectl("get", "pod", "stubborn", "-o", "jsonpath={.status.podIP}").out
    assert shared_lab.kubectl("delete", "pod", "stubborn", "--grace-period=1").code == 0
    routes = json.loads(shared_lab.execute("watcher", "ip", "-json", "route").out)
    assert address not in {route["dst"] for route in routes}


def test_a_deleted_pod_leaves_no_namespace(shared_lab: RunningLab, tmp_path: Path) -> None:
    enter = ("nsenter", "-t", str(server_process(shared_lab.pid)), "-U", "-m")
    before = run(*enter, "--preserve-credentials", "ls", "/run/netns").out
    shared_lab.deploy(tmp_path, "short")
    during = run(*enter, "--preserve-credentials", "ls", "/run/netns").out
    shared_lab.kubectl("delete", "pod", "short", "--grace-period=1")
    after = run(*enter, "--preserve-credentials", "ls", "/run/netns").out
    assert len(during.split()) == len(before.split()) + 1
    assert after == before


def test_a_command_that_does_not_exist_is_said(shared_lab: RunningLab, tmp_path: Path) -> None:
    shared_lab.deploy(tmp_path, "wrong", container={"command": ["nonsense"]}, wait=False)
    shared_lab.kubectl(
        "wait",
        "pod/wrong",
        "--for=jsonpath={.status.containerStatuses[0].state.waiting.reason}",
        "--timeout=10s",
    )
    seen = shared_lab.kubectl("describe", "pod", "wrong").out
    assert 'exec: "nonsense": executable file not found in $PATH' in seen


def test_an_exit_status_is_the_commands(shared_lab: RunningLab, tmp_path: Path) -> None:
    shared_lab.deploy(tmp_path, "answers")
    assert shared_lab.execute("answers", "sh", "-c", "exit 37").code == 37


def test_a_user_is_the_specs_or_refused(shared_lab: RunningLab, tmp_path: Path) -> None:
    user = capabilities(runAsUser=1000)
    shared_lab.deploy(tmp_path, "user", container=user, wait=os.geteuid() == 0)
    if os.geteuid() == 0:
        assert shared_lab.execute("user", "id", "-u").out == "1000\n"
    else:
        said = shared_lab.kubectl("describe", "pod", "user").out
        assert "start the lab as root" in said
