"""The table "which source address the destination sees", with rp_filter=1 on every node."""

from typing import Any

import pytest

from tests.lab.inside import inside

SOURCES = {"C": "calico1", "F": "flannel1", "D": "dual1", "H": "host"}
DESTINATIONS = {
    "C": "calico2-{}.eth0",
    "F": "flannel2-{}.eth0",
    "D.e0": "dual2-{}.eth0",
    "D.n1": "dual2-{}.net1",
    "H": "host-{}",
}

# What the destination on B sees of a source on A: its own interface or an address of A or B.
SEEN = [
    # source, destination, same node, across nodes
    ("C", "C", "A.eth0", "A.eth0"),
    ("C", "D.e0", "A.eth0", "A.eth0"),
    ("C", "F", "B.cni0", "A.flannel.1"),
    ("C", "D.n1", "B.cni0", "A.flannel.1"),
    ("C", "H", "A.eth0", "A.node"),
    ("F", "F", "A.eth0", "A.eth0"),
    ("F", "D.n1", "A.eth0", "A.eth0"),
    ("F", "C", "A.node", "A.tunnel"),
    ("F", "D.e0", "A.node", "A.tunnel"),
    ("F", "H", "A.eth0", "A.node"),
    ("D", "C", "A.eth0", "A.eth0"),
    ("D", "D.e0", "A.eth0", "A.eth0"),
    ("D", "F", "A.net1", "A.net1"),
    ("D", "D.n1", "A.net1", "A.net1"),
    ("D", "H", "A.eth0", "A.node"),
    ("H", "C", "A.node", "A.tunnel"),
    ("H", "D.e0", "A.node", "A.tunnel"),
    ("H", "F", "B.cni0", "A.flannel.1"),
    ("H", "D.n1", "B.cni0", "A.flannel.1"),
    ("H", "H", None, "A.node"),
]
CELLS = [
    pytest.param(source, destination, relation, seen, id=f"{source}-{destination}-{relation}")
    for source, destination, *both in SEEN
    for relation, seen in zip(("same", "cross"), both, strict=True)
    if seen is not None
]

SECOND = {"second_underlay": {"nic": "ens34", "cidr": "10.31.0.0/24"}}
SCENES: dict[str, dict[str, Any]] = {
    "none": {"topology": {"calico": {"encapsulation": "none"}}},
    "ipip": {"topology": {"calico": {"encapsulation": "ipip"}}},
    "vxlan": {"topology": {"calico": {"encapsulation": "vxlan"}}},
    "vxlan-without-ipsets": {"topology": {"calico": {"encapsulation": "vxlan"}}, "ipsets": False},
    "flannel-on-the-second-nic": {
        "topology": {
            **SECOND,
            "flannel": {"iface": "ens34"},
            "calico": {"encapsulation": "none"},
        }
    },
    **{
        f"calico-on-the-second-nic-{encapsulation}": {
            "topology": {**SECOND, "calico": {"encapsulation": encapsulation, "nic": "ens34"}}
        }
        for encapsulation in ("none", "vxlan")
    },
}


@pytest.fixture(scope="module", params=SCENES)
def matrix(request: pytest.FixtureRequest) -> dict[str, Any]:
    seen = inside("tests.lab.dataplane.scenarios:matrix", **SCENES[request.param])
    if "denied" in seen:
        pytest.skip(seen["denied"])
    return seen


def address(matrix: dict[str, Any], source: str, slot: str, seen: str) -> str:
    whose, _, what = seen.partition(".")
    if what in ("eth0", "net1"):
        return str(matrix["targets"][f"{source}-a.{what}"])
    return str(matrix["own"]["a" if whose == "A" else slot][what])


@pytest.mark.parametrize(("source", "destination", "relation", "seen"), CELLS)
def test_destination_sees_the_source_that_a_real_cluster_shows(
    matrix: dict[str, Any], source: str, destination: str, relation: str, seen: str
) -> None:
    slot = "a" if relation == "same" else "b"
    answer = matrix["answers"][f"{SOURCES[source]}-a"][DESTINATIONS[destination].format(slot)]
    assert answer == {"peer": address(matrix, SOURCES[source], slot, seen), "ping": True}


@pytest.mark.parametrize("slot", ["a", "b"], ids=["same", "cross"])
@pytest.mark.parametrize("destination", ["C", "D.e0", "H"])
def test_address_of_the_second_interface_reaches_nothing_of_calico_or_the_hosts(
    matrix: dict[str, Any], destination: str, slot: str
) -> None:
    assert bound(matrix, destination, slot, by_address=True) == {"peer": None, "ping": False}


@pytest.mark.parametrize(
    ("destination", "slot"),
    [("C", "a"), ("C", "b"), ("D.e0", "a"), ("D.e0", "b"), ("H", "b")],
    ids=["C-same", "C-cross", "D.e0-same", "D.e0-cross", "H-cross"],
)
def test_second_interface_itself_reaches_none_but_its_own_node(
    matrix: dict[str, Any], destination: str, slot: str
) -> None:
    assert bound(matrix, destination, slot) == {"peer": None, "ping": False}


@pytest.mark.parametrize("by_address", [False, True], ids=["interface", "address"])
@pytest.mark.parametrize("slot", ["a", "b"], ids=["same", "cross"])
@pytest.mark.parametrize("destination", ["F", "D.n1"])
def test_second_interface_reaches_flannel(
    matrix: dict[str, Any], destination: str, slot: str, by_address: bool
) -> None:
    own = matrix["targets"]["dual1-a.net1"]
    seen = bound(matrix, destination, slot, by_address=by_address)
    assert seen == {"peer": own, "ping": True}


def bound(
    matrix: dict[str, Any], destination: str, slot: str, *, by_address: bool = False
) -> dict[str, Any]:
    own = matrix["targets"]["dual1-a.net1"] if by_address else "net1"
    answers: dict[str, Any] = matrix["answers"]["dual1-a"]
    return dict(answers[f"{DESTINATIONS[destination].format(slot)}!{own}"])
