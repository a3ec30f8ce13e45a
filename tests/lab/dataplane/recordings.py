"""Reads what real tools printed on a real cluster and makes two such outputs comparable.

What differs between any two clusters goes: MAC addresses, interface indexes, the names of bridge
ports, counters and timers; addresses of a Calico block become the block's name.
"""

import json
import re
from ipaddress import IPv4Address, IPv4Network
from pathlib import Path
from typing import Any

DATA = Path(__file__).with_name("data")
BLOCKS = {"BLOCK": "10.200.166.128/26", "PEER": "10.200.104.0/26"}
"""Of the recorded nodes."""

_VOLATILE = {
    "address",
    "link",
    "link_index",
    "ifindex",
    "link_netnsid",
    "link_netns",
    "bridge_id",
    "root_id",
    "gc_timer",
    "forward_delay_timer",
    "id",
    "no",
    "designated_port",
}


def read(name: str) -> str:
    return (DATA / name).read_text()


def load(name: str) -> list[dict[str, Any]]:
    return list(json.loads(read(name)))


def named_blocks(text: str, blocks: dict[str, str]) -> str:
    networks = {name: IPv4Network(block) for name, block in blocks.items()}

    def name_of(match: re.Match[str]) -> str:
        for name, network in networks.items():
            if IPv4Address(match[0]) in network:
                return name
        return match[0]

    return re.sub(r"\b10\.200\.\d+\.\d+\b", name_of, text)


def without_macs(text: str) -> str:
    text = re.sub(r"\b([0-9a-f]{2}:){5}[0-9a-f]{2}\b", "MAC", text)
    return re.sub(r"\bveth[0-9a-f]{8}\b", "veth", text)


def rules(iptables_save: str) -> list[str]:
    """Chains and rules without counters and without kube-proxy's and the kubelet's."""
    lines = (line for line in iptables_save.splitlines() if not line.startswith("#"))
    bare = (re.sub(r"\[\d+:\d+\] ?", "", line).strip() for line in lines)
    return [line for line in bare if "KUBE-" not in line]


def links(listing: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return sorted((_steady(link) for link in listing), key=lambda link: str(link["ifname"]))


def _steady(value: dict[str, Any]) -> dict[str, Any]:
    kept: dict[str, Any] = {}
    for key, item in value.items():
        if key == "ifname":
            kept[key] = without_macs(item)
        elif isinstance(item, dict):
            kept[key] = _steady(item)
        elif key not in _VOLATILE:
            kept[key] = item
    if value.get("info_kind") == "vxlan":
        kept["info_data"]["id"] = value["info_data"]["id"]
    return kept


def ipv4_addresses(listing: list[dict[str, Any]]) -> list[tuple[str, list[dict[str, Any]]]]:
    return [
        (
            without_macs(link["ifname"]),
            [address for address in link["addr_info"] if address["family"] == "inet"],
        )
        for link in listing
    ]


def ipsets(listing: str) -> dict[str, tuple[str, set[str]]]:
    """Type and members by name."""
    found = {}
    for text in listing.split("Name: ")[1:]:
        head, _, members = text.partition("Members:\n")
        name, kind = head.splitlines()[:2]
        found[name] = (kind.removeprefix("Type: "), set(members.split()))
    return found


def as_recorded(ours: Any, theirs: Any) -> Any:  # noqa: ANN401  JSON
    """`ours` without the keys that `theirs` has not: a newer iproute2 tells more."""
    if isinstance(theirs, dict) and isinstance(ours, dict):
        return {key: as_recorded(ours[key], theirs[key]) for key in ours if key in theirs}
    if isinstance(theirs, list) and isinstance(ours, list) and len(ours) == len(theirs):
        return [as_recorded(*pair) for pair in zip(ours, theirs, strict=True)]
    return ours
