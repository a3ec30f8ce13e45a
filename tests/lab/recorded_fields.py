"""What tools printed on two clusters, as fields that can be compared: path -> value.

A snapshot is a folder of a recording, or the same read from a running cluster: path of a file ->
its text. What any two clusters have of their own gets the name of what it belongs to, found in the
snapshot itself: `10.200.166.131` becomes `<dual-node1/eth0>`, a MAC address that of its device. So
an entry that points to the wrong device is still a difference.
"""

import json
import re
from collections.abc import Callable, Iterator, Mapping
from ipaddress import IPv4Address, IPv4Network
from typing import Any

Snapshot = Mapping[str, str]
Fields = dict[str, str]

FREE_KEYS = {
    # numbers that the kernel hands out, and relations that the names of devices tell
    *("ifindex", "link_index", "link_netnsid", "link_netns", "no", "id", "designated_port"),
    # counters and timers
    *("gc_timer", "forward_delay_timer", "hello_timer", "tcn_timer", "topology_change_timer"),
    *("used", "updated", "confirmed", "refcnt", "probes", "expires", "cache", "stats64"),
    *("valid_life_time", "preferred_life_time"),
    # made of MAC addresses
    *("bridge_id", "root_id", "designated_bridge", "designated_root"),
    # objects' own
    *("resourceVersion", "uid", "creationTimestamp", "generation", "managedFields", "eventTime"),
    *("firstTimestamp", "lastTimestamp", "lastTransitionTime", "lastHeartbeatTime", "startTime"),
    *("startedAt", "containerID", "imageID", "selfLink", "nodeInfo", "capacity", "allocatable"),
    *("images", "count", "reportingInstance"),
}
_MAC = r"\b(?:[0-9a-f]{2}:){5}[0-9a-f]{2}\b"
_FIXED_MACS = {"00:00:00:00:00:00", "ff:ff:ff:ff:ff:ff", "ee:ee:ee:ee:ee:ee"}


def fields(snapshot: Snapshot) -> Fields:
    """Every field of every file that both sides have."""
    name = _namer(snapshot)
    found: Fields = {}
    for path, text in snapshot.items():
        kind = path.rsplit("/", 1)[-1]
        reader = _READERS.get(kind, _object_fields if path.startswith("api/") else None)
        if reader is not None:
            found |= {f"{path} {key}": value for key, value in reader(name(path, text))}
    return found


def _namer(snapshot: Snapshot) -> Callable[[str, str], str]:
    """A function of a file's path and text that gives what is free its name."""
    names = {**_node_names(snapshot), **_pod_names(snapshot), **_mac_names(snapshot)}
    veths = _veth_names(snapshot)
    known = re.compile("|".join(re.escape(one) for one in sorted(names, key=len, reverse=True)))

    def named(path: str, text: str) -> str:
        text = re.sub(
            rf"(?<![\d.:a-f])(?:{known.pattern})(?![\d:a-f])", lambda m: names[m[0]], text
        )
        for veth, owner in veths.get("/".join(path.split("/")[:2]), {}).items():
            text = text.replace(veth, owner)
        text = re.sub(r"fe80::[0-9a-f:]+", "<link-local>", text)
        text = re.sub(r"ff02::1:ff[0-9a-f]{2}:[0-9a-f]{1,4}", "<solicited-node>", text)
        text = re.sub(r"33:33:ff(:[0-9a-f]{2}){3}", "<solicited-node>", text)
        return re.sub(r"\b[0-9a-f]{64}\b", "<sandbox>", text)

    return named


def _load(snapshot: Snapshot, ending: str) -> Iterator[tuple[str, list[dict[str, Any]]]]:
    """`nodes/node1` or `pods/dual-node1` and what a file of it holds."""
    for path, text in snapshot.items():
        if path.endswith(f"/{ending}"):
            yield path.removesuffix(f"/{ending}"), json.loads(text)


def _node_names(snapshot: Snapshot) -> dict[str, str]:
    """Calico's blocks and the address of its tunnel, the block's first."""
    names: dict[str, str] = {}
    for owner, routes in _load(snapshot, "ip-route.json"):
        for route in routes:
            if route.get("type") == "blackhole":
                node, block = owner.split("/")[1], IPv4Network(route["dst"])
                names |= {str(block): f"<{node}/block>", str(block[0]): f"<{node}/tunnel>"}
                names[f"{block[0]}/32"] = f"<{node}/tunnel>/32"
    return names


def _pod_names(snapshot: Snapshot) -> dict[str, str]:
    names = {}
    for owner, elements in _load(snapshot, "network-status.json"):
        for element in elements:
            for address in element["ips"]:
                names[str(IPv4Address(address))] = f"<{owner.split('/')[1]}/{element['interface']}>"
    return names


def _mac_names(snapshot: Snapshot) -> dict[str, str]:
    names: dict[str, str] = {}
    for ending in ("ip-addr.json", "ip-link.json"):
        for owner, links in _load(snapshot, ending):
            for link in links:
                mac = link.get("address", "")
                if re.fullmatch(_MAC, mac) and mac not in _FIXED_MACS:
                    device = link["ifname"] if not link["ifname"].startswith("veth") else "veth"
                    names.setdefault(mac, f"<mac of {owner.split('/')[1]}/{device}>")
    return names


def _veth_names(snapshot: Snapshot) -> dict[str, dict[str, str]]:
    """By node: the bridge plugin's random names, by the pod's end."""
    peers: dict[tuple[str, int], str] = {}
    for owner, links in _load(snapshot, "ip-addr.json"):
        kind, pod = owner.split("/")
        for link in links:
            if kind == "pods" and "link_index" in link:
                peers[pod.rsplit("-", 1)[1], link["link_index"]] = (
                    f"<veth of {pod}/{link['ifname']}>"
                )
    return {
        owner: {
            link["ifname"]: peers.get((owner.split("/")[1], link["ifindex"]), "<veth>")
            for link in links
            if link["ifname"].startswith("veth")
        }
        for owner, links in _load(snapshot, "ip-link.json")
    }


def _flat(value: Any, path: str = "") -> Iterator[tuple[str, str]]:  # noqa: ANN401  JSON
    if isinstance(value, dict):
        for key, item in value.items():
            if key not in FREE_KEYS:
                yield from _flat(item, f"{path}.{key}" if path else key)
    elif isinstance(value, list) and any(isinstance(item, dict) for item in value):
        for position, item in enumerate(value):
            key = item.get("type") or item.get("name") or item.get("key") or position
            yield from _flat(item, f"{path}[{key}]")
    elif isinstance(value, str) and value[:1] in ("{", "["):
        try:
            yield from _flat(json.loads(value), f"{path}:")
        except ValueError:
            yield path, value
    else:
        yield path, json.dumps(sorted(value, key=str) if isinstance(value, list) else value)


def _listed(*identity: str) -> Callable[[str], Iterator[tuple[str, str]]]:
    """Objects of a list, each by what tells it from the others."""

    def read(text: str) -> Iterator[tuple[str, str]]:
        for item in json.loads(text):
            if item:
                key = " ".join(str(item[part]) for part in identity if part in item)
                yield f"[{key}]", "present"
                yield from ((f"[{key}].{path}", value) for path, value in _flat(item))

    return read


def _addresses(text: str) -> Iterator[tuple[str, str]]:
    for link in json.loads(text):
        for address in link.pop("addr_info"):
            key = f"[{link['ifname']} {address['local']}]"
            yield key, "present"
            yield from ((f"{key}.{path}", value) for path, value in _flat(address))
        yield from ((f"[{link['ifname']}].{path}", value) for path, value in _flat(link))


def _rules(text: str) -> Iterator[tuple[str, str]]:
    """Chains with policy, and their rules by position."""
    table, counts = "", dict[str, int]()
    for raw in text.splitlines():
        line = re.sub(r"\[\d+:\d+\] ?", "", raw).strip()
        if line.startswith("*"):
            table = line[1:]
        elif line.startswith(":"):
            yield f"{table} {line[1:].split()[0]}", line.split()[1]
        elif line.startswith("-A"):
            chain = f"{table} {line.split()[1]}"
            if "KUBE-" not in line:  # jumps to and rules of kube-proxy and the kubelet
                counts[chain] = counts.get(chain, 0) + 1
                yield f"{chain} {counts[chain]}", line
            else:
                yield f"{chain} {line}", "present"


def _ipsets(text: str) -> Iterator[tuple[str, str]]:
    for one in text.split("Name: ")[1:]:
        head, _, members = one.partition("Members:\n")
        name, kind = head.splitlines()[:2]
        yield name, kind
        yield from ((f"{name} {member}", "present") for member in members.split())


def _settings(text: str) -> Iterator[tuple[str, str]]:
    for line in text.splitlines():
        key, _, value = line.partition("=")
        yield key.strip(), value.strip()


def _object_fields(text: str) -> Iterator[tuple[str, str]]:
    """API objects by kind and name; events by what they say."""
    for item in json.loads(text)["items"]:
        metadata = item["metadata"]
        if item["kind"] == "Event":
            involved = item["involvedObject"]
            key = f"[{involved['kind']} {involved['name']} {item['reason']} {item['message']}]"
        else:
            key = f"[{item['kind']} {metadata['name']}]"
            yield from _flat_under(key, {"metadata": metadata})
        yield key, "present"
        yield from _flat_under(key, {k: v for k, v in item.items() if k != "metadata"})


def _flat_under(key: str, value: Any) -> Iterator[tuple[str, str]]:  # noqa: ANN401  JSON
    yield from ((f"{key}.{path}", text) for path, text in _flat(value))


_READERS: dict[str, Callable[[str], Iterator[tuple[str, str]]]] = {
    "ip-link.json": _listed("ifname"),
    "bridge-link.json": _listed("ifname"),
    "ip-addr.json": _addresses,
    "ip-route.json": _listed("type", "table", "dst", "dev"),
    "ip-rule.json": _listed("priority"),
    "ip-neigh.json": _listed("dst", "dev"),
    "bridge-fdb.json": _listed("mac", "ifname", "dst", "flags"),
    "network-status.json": _listed("interface"),
    "iptables-save.txt": _rules,
    "ipset.txt": _ipsets,
    "sysctl.txt": _settings,
    "subnet.env": _settings,
}
