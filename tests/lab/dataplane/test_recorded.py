"""A node and its pods look as on a real cluster: the outputs of the same tools, line by line."""

import json
from typing import Any, TypeVar

import pytest

from tests.lab.dataplane.recordings import (
    BLOCKS,
    as_recorded,
    ipsets,
    ipv4_addresses,
    links,
    load,
    named_blocks,
    read,
    rules,
    without_macs,
)
from tests.lab.inside import inside

T = TypeVar("T")
PER_POD = ("address", "link_index", "link_netnsid", "link_netns")
KINDS = ["calico", "flannel", "dual"]


@pytest.fixture(scope="module")
def lab() -> dict[str, Any]:
    """With Calico's tunnel device, as recorded."""
    return inside("tests.lab.dataplane.scenarios:recorded", encapsulation="vxlan")


@pytest.fixture(scope="module")
def flat_lab() -> dict[str, Any]:
    """Without: the recorded nodes share a subnet, so their routes are unencapsulated."""
    return inside("tests.lab.dataplane.scenarios:recorded", encapsulation="none")


def normal(lab: dict[str, Any], value: T) -> T:
    """Without what differs between any two clusters."""
    blocks = {"BLOCK": lab["block"], "PEER": lab["peer_block"]}
    same: T = json.loads(named_blocks(without_macs(json.dumps(value)), blocks))
    return same


def recorded(name: str) -> list[dict[str, Any]]:
    return list(json.loads(named_blocks(without_macs(read(name)), BLOCKS)))


def test_rules_and_felix_hashes_are_the_real_ones(lab: dict[str, Any]) -> None:
    # Without /etc/protocols a protocol stays a number.
    ours = lab["iptables-save.txt"].replace(" -p 4 ", " -p ipencap ")
    assert rules(ours) == rules(read("healthy/nodes/node1/iptables-save.txt"))


def test_links_are_the_real_ones(lab: dict[str, Any]) -> None:
    theirs = links(load("healthy/nodes/node1/ip-link.json"))
    assert as_recorded(links(lab["ip-link.json"]), theirs) == theirs


def test_addresses_are_the_real_ones(lab: dict[str, Any]) -> None:
    ours = ipv4_addresses(normal(lab, lab["ip-addr.json"]))
    assert ours == ipv4_addresses(recorded("healthy/nodes/node1/ip-addr.json"))


def test_routes_are_the_real_ones(flat_lab: dict[str, Any]) -> None:
    def ipv4(routes: list[dict[str, Any]]) -> list[dict[str, Any]]:
        return [
            route
            for route in routes
            if ":" not in route["dst"] and route.get("dev") != "vxlan.calico"
        ]

    ours = ipv4(normal(flat_lab, flat_lab["ip-route.json"]))
    theirs = ipv4(recorded("healthy/nodes/node1/ip-route.json"))
    assert sorted(map(str, ours)) == sorted(map(str, theirs))


def test_policy_rules_are_the_real_ones(lab: dict[str, Any]) -> None:
    assert lab["ip-rule.json"] == load("healthy/nodes/node1/ip-rule.json")


def test_tunnels_know_the_other_node_for_good(lab: dict[str, Any]) -> None:
    def permanent(neighbours: list[dict[str, Any]]) -> list[str]:
        return sorted(str(entry) for entry in neighbours if entry["state"] == ["PERMANENT"])

    ours = permanent(normal(lab, lab["ip-neigh.json"]))
    assert ours == permanent(recorded("healthy/nodes/node1/ip-neigh.json"))


def test_forwarding_database_is_the_real_one(lab: dict[str, Any]) -> None:
    def unicast(entries: list[dict[str, Any]]) -> list[str]:
        return sorted(str(entry) for entry in entries if entry["mac"] == "MAC")

    def without_groups(text: str) -> list[dict[str, Any]]:
        return [entry for entry in json.loads(text) if entry["mac"][:2] not in ("33", "01")]

    ours = without_groups(json.dumps(lab["bridge-fdb.json"]))
    theirs = without_groups(read("healthy/nodes/node1/bridge-fdb.json"))
    learned = {"state": ""}  # a pod that has sent nothing yet is not known yet
    assert unicast(normal(lab, _but(ours, learned))) == unicast(normal(lab, _but(theirs, learned)))


def _but(entries: list[dict[str, Any]], unwanted: dict[str, str]) -> list[dict[str, Any]]:
    return [entry for entry in entries if not unwanted.items() <= entry.items()]


def test_kernel_settings_are_the_real_ones(lab: dict[str, Any]) -> None:
    theirs = {
        line for line in read("healthy/nodes/node1/sysctl.txt").splitlines() if ".veth" not in line
    }
    if not any("bridge-nf" in line for line in lab["sysctl.txt"].splitlines()):
        theirs = {line for line in theirs if "bridge-nf" not in line}
    assert theirs - set(lab["sysctl.txt"].splitlines()) == set()


def test_ipsets_are_the_real_ones(lab: dict[str, Any]) -> None:
    ours = ipsets(named_blocks(lab["ipset.txt"], {"BLOCK": lab["block"]}))
    theirs = ipsets(named_blocks(read("healthy/nodes/node1/ipset.txt"), BLOCKS))
    theirs["cali40this-host"][1].discard("10.244.0.1")  # cni0's, which felix learns later
    assert ours == theirs


def test_node_annotations_are_the_real_ones(lab: dict[str, Any]) -> None:
    nodes = json.loads(named_blocks(without_macs(read("healthy/api/nodes.json")), BLOCKS))
    theirs = nodes["items"][0]["metadata"]["annotations"]
    for kubelets in [key for key in theirs if "kubernetes.io/" in key]:
        del theirs[kubelets]
    assert normal(lab, lab["annotations"]) == theirs


def test_multus_is_the_first_cni_configuration(lab: dict[str, Any]) -> None:
    assert lab["cni"] == ["00-multus.conf", "10-calico.conflist", "10-flannel.conflist"]


def test_flannel_leaves_its_subnet_file(lab: dict[str, Any]) -> None:
    assert lab["subnet.env"] == (
        "FLANNEL_NETWORK=10.244.0.0/16\n"
        "FLANNEL_SUBNET=10.244.0.1/24\n"
        "FLANNEL_MTU=1450\n"
        "FLANNEL_IPMASQ=true\n"
    )


@pytest.mark.parametrize("kind", KINDS)
def test_pod_interfaces_are_the_real_ones(lab: dict[str, Any], kind: str) -> None:
    def shape(text: str, blocks: dict[str, str]) -> list[dict[str, Any]]:
        listing = json.loads(_numbered(named_blocks(text, blocks)))
        for link in listing:
            for key in PER_POD:
                link.pop(key, None)
            link["addr_info"] = [a for a in link["addr_info"] if a["family"] == "inet"]
        return list(listing)

    ours = shape(json.dumps(lab["pods"][kind]["ip-addr.json"]), {"BLOCK": lab["block"]})
    theirs = shape(read(f"healthy/pods/{kind}-node1/ip-addr.json"), BLOCKS)
    assert as_recorded(ours, theirs) == theirs


@pytest.mark.parametrize("kind", KINDS)
def test_pod_routes_are_the_real_ones(lab: dict[str, Any], kind: str) -> None:
    ours = _numbered(lab["pods"][kind]["ip-route.txt"])
    assert ours.split("\n") == _numbered(read(f"healthy/pods/{kind}-node1/ip-route.txt")).split(
        "\n"
    )


@pytest.mark.parametrize("kind", KINDS)
def test_network_status_is_written_as_multus_writes_it(lab: dict[str, Any], kind: str) -> None:
    ours = lab["pods"][kind]["annotations"]["k8s.v1.cni.cncf.io/network-status"]
    theirs = read(f"healthy/pods/{kind}-node1/network-status.json")
    assert _numbered(named_blocks(without_macs(ours), {"BLOCK": lab["block"]})) == _numbered(
        named_blocks(without_macs(theirs), BLOCKS)
    )


def test_calico_annotates_its_pods(lab: dict[str, Any]) -> None:
    pod = lab["pods"]["calico"]
    annotations = {key: value for key, value in pod["annotations"].items() if "calico" in key}
    (address,) = (
        info["local"] for info in pod["ip-addr.json"][1]["addr_info"] if info["family"] == "inet"
    )
    assert annotations == {
        "cni.projectcalico.org/containerID": pod["sandbox_id"],
        "cni.projectcalico.org/podIP": f"{address}/32",
        "cni.projectcalico.org/podIPs": f"{address}/32",
    }


def _numbered(text: str) -> str:
    """The recorded pods were not the first on their node: host-local had gone on to .4 and .5."""
    for theirs, ours in (("10.244.0.4", "10.244.0.2"), ("10.244.0.5", "10.244.0.3")):
        text = text.replace(theirs, ours)
    return text
