"""Damaged in the same way, the lab loses the very pairs that a real cluster lost."""

from typing import Any

import pytest

from tests.lab.dataplane.recordings import read
from tests.lab.inside import inside

NO_NAT_OUTGOING = {"calico": {"encapsulation": "none", "nat_outgoing": False}}
FLUSH = ["iptables", "-t", "nat", "-F", "FLANNEL-POSTRTG"]
DROP = ["iptables", "-I", "INPUT", "-p", "udp", "--dport", "8472", "-j", "DROP"]
DAMAGE: dict[str, tuple[dict[str, Any], list[list[str]]]] = {
    "healthy": ({}, []),
    "f02-rp-filter-no-snat": (NO_NAT_OUTGOING, [["node1", *FLUSH], ["node2", *FLUSH]]),
    "f05-forward-drop-on-node2": (
        {},
        [
            ["node2", "iptables", "-P", "FORWARD", "DROP"],
            ["node2", "iptables", "-F", "FLANNEL-FWD"],
        ],
    ),
    "f15-calico-route-missing-on-node1": ({}, [["node1", "ip", "route", "del", "{block}"]]),
    "f18-udp-8472-dropped-on-node2": ({}, [["node2", *DROP]]),
}


def failed(ping_matrix: str) -> set[str]:
    lines = (line.rsplit(maxsplit=2) for line in ping_matrix.splitlines())
    return {pair for pair, _, answered in lines if answered == "0/5"}


@pytest.mark.parametrize("name", DAMAGE)
def test_same_damage_same_pairs(name: str) -> None:
    topology, commands = DAMAGE[name]
    seen = inside("tests.lab.dataplane.scenarios:damaged", topology=topology, commands=commands)
    if name.startswith("f05") and not seen["bridge_netfilter"]:
        pytest.skip("needs br_netfilter: without it bridged packets do not meet FORWARD")
    ours = {
        f"{source} -> {destination}"
        for source, answers in seen["answers"].items()
        for destination, answer in answers.items()
        if not answer["ping"]
    }
    assert ours == failed(read(f"matrices/{name}.txt"))
