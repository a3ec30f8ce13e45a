"""Nodes with a second NIC: who is bound to which, as kubectl, ip, bridge and tcpdump show it."""

import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.lab.conftest import RunningLab, running_lab
from tests.lab.nads import addresses, create, links, pod, shell, wait

EXAMPLE = Path(__file__).parents[2] / "manifests/lab/two-nics.yaml"
ON_FLANNEL = {"v1.multus-cni.io/default-network": "default/flannel-conf"}
NODES = {
    "k8s-master": ("192.168.31.128", "10.31.0.128"),
    "k8s-node": ("192.168.31.129", "10.31.0.9"),
}


@pytest.fixture(scope="module")
def lab(namespaces: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningLab]:
    """The example, with a pod of either network on each node."""
    if shutil.which("kubectl") is None:
        pytest.skip("needs kubectl")
    with running_lab(tmp_path_factory.mktemp("lab"), "--topology", EXAMPLE) as started:
        pods = []
        for node in NODES:
            pods += [shell(f"host-{node}", node), pod(f"calico-{node}", "", node=node)]
            pods.append(pod(f"flannel-{node}", "", node=node))
            pods[-1]["metadata"]["annotations"] = ON_FLANNEL
        create(started, *pods)
        wait(started, "condition=Ready", *(one["metadata"]["name"] for one in pods))
        yield started


def node_links(lab: RunningLab, node: str) -> dict[str, dict[str, Any]]:
    return links(lab, f"host-{node}")


def reaches(lab: RunningLab, kind: str) -> bool:
    target = addresses(links(lab, f"{kind}-k8s-node")["eth0"])[0].partition("/")[0]
    argv = ("ping", "-n", "-c", "1", "-W", "1", target)
    return lab.execute(f"{kind}-k8s-master", *argv).code == 0


@pytest.mark.parametrize("node", NODES)
def test_a_node_has_both_addresses_and_one_default_route(lab: RunningLab, node: str) -> None:
    found = node_links(lab, node)
    first, second = NODES[node]
    assert addresses(found["ens33"]) == [f"{first}/24"]
    assert addresses(found["ens34"]) == [f"{second}/24"]
    default = lab.execute(f"host-{node}", "ip", "route", "show", "default").out
    assert default.split() == ["default", "via", "192.168.31.1", "dev", "ens33"]


@pytest.mark.parametrize("node", NODES)
def test_flannels_device_is_bound_to_the_second(lab: RunningLab, node: str) -> None:
    data = node_links(lab, node)["flannel.1"]["linkinfo"]["info_data"]
    assert (data["local"], data["link"]) == (NODES[node][1], "ens34")


def test_frames_for_the_other_node_go_to_its_second_address(lab: RunningLab) -> None:
    shown = lab.execute("host-k8s-master", "bridge", "-j", "fdb", "show", "dev", "flannel.1").out
    assert {entry["dst"] for entry in json.loads(shown)} == {NODES["k8s-node"][1]}


@pytest.mark.parametrize("node", NODES)
def test_annotations_tell_the_difference(lab: RunningLab, node: str) -> None:
    found = json.loads(lab.kubectl("get", "node", node, "-o", "json").out)
    annotations, (first, second) = found["metadata"]["annotations"], NODES[node]
    assert annotations["flannel.alpha.coreos.com/public-ip"] == second
    assert annotations["projectcalico.org/IPv4Address"] == f"{first}/24"
    assert json.loads(annotations["projectcalico.org/Interfaces"]) == [
        {"name": "ens33", "addresses": [first]},
        {"name": "ens34", "addresses": [second]},
    ]
    (internal,) = (a for a in found["status"]["addresses"] if a["type"] == "InternalIP")
    assert internal["address"] == first


@pytest.mark.parametrize("kind", ["calico", "flannel"])
def test_pods_reach_each_other_across_nodes(lab: RunningLab, kind: str) -> None:
    assert reaches(lab, kind)


def test_without_the_second_nic_flannel_alone_is_dead(lab: RunningLab) -> None:
    host = "host-k8s-node"
    assert lab.execute(host, "ip", "link", "set", "ens34", "down").code == 0
    try:
        assert (reaches(lab, "calico"), reaches(lab, "flannel")) == (True, False)
    finally:
        assert lab.execute(host, "ip", "link", "set", "ens34", "up").code == 0
    assert reaches(lab, "flannel")


def test_a_node_that_sends_to_the_wrong_nic_is_filtered_there(lab: RunningLab) -> None:
    mac = node_links(lab, "k8s-node")["flannel.1"]["address"]

    def send_to(address: str) -> None:
        argv = ("bridge", "fdb", "replace", mac, "dev", "flannel.1", "dst", address)
        assert lab.execute("host-k8s-master", *argv).code == 0

    def filtered() -> int:
        shown = lab.execute("host-k8s-node", "cat", "/proc/net/netstat").out.splitlines()
        names, values = (line.split() for line in shown if line.startswith("TcpExt:"))
        return int(dict(zip(names, values, strict=True))["IPReversePathFilter"])

    before = filtered()
    send_to(NODES["k8s-node"][0])
    try:
        assert not reaches(lab, "flannel")
    finally:
        send_to(NODES["k8s-node"][1])
    assert filtered() > before
