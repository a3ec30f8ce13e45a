"""What must hold before any packet is worth sending, asked of the API alone.

A result that could not be had is skipped with its reason: what is unknown is never green.
"""

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from ipaddress import IPv4Network, IPv6Network, ip_network
from itertools import combinations
from typing import Any

from podmatrix.cluster import inventory, objects
from podmatrix.cluster.client import Cluster
from podmatrix.cluster.failures import StatusError
from podmatrix.cluster.live import is_ready, state
from podmatrix.cluster.manifests import can_stand_in, needed_nads
from podmatrix.model import Node, PreflightResult, Verdict
from podmatrix.profile import Profile

DAEMONS = {"flannel": "app=flannel", "calico": "k8s-app=calico-node", "multus": "app=multus"}
"""Labels by which the network daemons are found, in whatever namespace they run."""

Check = Callable[[], tuple[Verdict, str]]

Found = tuple[str, IPv4Network | IPv6Network]


def preflight(
    cluster: Cluster, profile: Profile, nodes: Sequence[Node]
) -> tuple[PreflightResult, ...]:
    """Check rows S05, S13 and S15 for the networks of `profile` on `nodes`.

    Raises ClusterError only where the cluster does not answer at all.
    """
    checks: dict[str, Check] = {}
    for reference in needed_nads(profile):
        checks[f"S05-{reference.replace('/', '-')}"] = partial(_nad, cluster, profile, reference)
    checks["S13-cidrs"] = partial(_disjoint, cluster, profile, nodes)
    for daemon in _daemons(profile):
        checks[f"S15-{daemon}"] = partial(_daemon, cluster, daemon, nodes)
    return tuple(_guarded(name, check) for name, check in checks.items())


class _Unknown(Exception):
    """What was asked for is not there, or may not be read; the message says what."""


def _guarded(check: str, judge: Check) -> PreflightResult:
    try:
        verdict, detail = judge()
    except _Unknown as exc:
        return _skipped(check, str(exc))
    except StatusError as exc:
        return _skipped(check, str(exc))
    except inventory.MalformedError as exc:
        verdict, detail = Verdict.FAIL, str(exc)
    return PreflightResult(check=check, verdict=verdict, detail=detail)


def _skipped(check: str, why: str) -> PreflightResult:
    return PreflightResult(check=check, verdict=Verdict.OBSERVED, detail=why, skipped=True)


def _nad(cluster: Cluster, profile: Profile, reference: str) -> tuple[Verdict, str]:
    """S05: it exists and its config is one of CNI."""
    nad = objects.read_nad(cluster, reference)
    if nad is None:
        missing = f"NetworkAttachmentDefinition {reference} is missing"
        if not can_stand_in(profile, reference):
            return Verdict.FAIL, f"{missing}; apply it"
        return Verdict.OBSERVED, f"{missing}: the harness makes one in its own namespace"
    text = (nad.get("spec") or {}).get("config")
    if not text:
        # Multus then takes the file of that name in /etc/cni/net.d of each node.
        return Verdict.OBSERVED, f"{reference} has no config: a file on the nodes has it"
    try:
        config = json.loads(text)
        plugins = config.get("plugins", [config])
        types = [str(plugin["type"]) for plugin in plugins]
    except (ValueError, KeyError, TypeError, AttributeError) as exc:
        return Verdict.FAIL, f"{reference}: spec.config is no CNI configuration, {exc!r}; fix it"
    if not types:
        return Verdict.FAIL, f"{reference}: spec.config lists no plugins; add the network's"
    return Verdict.PASS, f"{reference}: type {', '.join(types)}"


def _disjoint(cluster: Cluster, profile: Profile, nodes: Sequence[Node]) -> tuple[Verdict, str]:
    """S13: Calico's pools, Flannel's network and the services' addresses do not overlap."""
    unread: list[str] = []
    sets: dict[str, list[Found]] = {
        "Calico pool": _cidrs(lambda: inventory.ip_pools(cluster), "IPPool", unread),
        "Flannel network": _cidrs(
            lambda: inventory.flannel_network(cluster), "ConfigMap of Flannel", unread
        ),
        "service CIDR": _cidrs(lambda: inventory.service_cidrs(cluster), "service CIDR", unread),
    }
    if not sets["Flannel network"] and _has_flannel(profile):
        sets["podCIDR of node"] = _pod_cidrs(cluster, nodes)
    overlaps = [
        f"{kind} {name} {cidr} overlaps {other_kind} {other} {other_cidr}"
        for (kind, found), (other_kind, others) in combinations(sets.items(), 2)
        for name, cidr in found
        for other, other_cidr in others
        if cidr.version == other_cidr.version and cidr.overlaps(other_cidr)
    ]
    if overlaps:
        return Verdict.FAIL, "; ".join(overlaps)
    known = ", ".join(f"{kind} {cidr}" for kind, found in sets.items() for _, cidr in found)
    if missing := _not_compared(profile, sets):
        told = "; ".join((f"not known: {', '.join(missing)}", *unread))
        raise _Unknown(f"{told}; disjoint as far as known: {known or 'nothing'}")
    return Verdict.PASS, f"disjoint: {known}"


def _not_compared(profile: Profile, sets: Mapping[str, Sequence[Found]]) -> list[str]:
    """What the comparison is about and the cluster did not tell."""
    wanted = ["service CIDR"]
    if any(network.cni == "calico" for network in profile.networks.values()):
        wanted.append("Calico pool")
    if not sets["Flannel network"] and _has_flannel(profile):
        wanted.append("podCIDR of node")
    return [kind for kind in wanted if not sets[kind]]


def _has_flannel(profile: Profile) -> bool:
    """Only Flannel gives out podCIDRs: kubeadm with Calico alone shows its pool there."""
    return any(network.cni == "flannel" for network in profile.networks.values())


def _cidrs(
    read: Callable[[], Mapping[str, str] | None], what: str, unread: list[str]
) -> list[Found]:
    try:
        found = read()
        if found is None:
            unread.append(f"no {what} in this cluster")
            return []
        return [(name, ip_network(cidr)) for name, cidr in found.items()]
    except StatusError as exc:
        unread.append(str(exc))
    except ValueError as exc:
        raise inventory.MalformedError(f"{what}: {exc}; correct it there") from exc
    return []


def _pod_cidrs(cluster: Cluster, nodes: Sequence[Node]) -> list[Found]:
    used = {node.name for node in nodes}
    return [
        (info.name, ip_network(cidr))
        for info in cluster.nodes()
        if info.name in used
        for cidr in info.pod_cidrs
    ]


def _daemons(profile: Profile) -> Iterator[str]:
    """The daemons that the declared networks need."""
    cnis = {network.cni for network in profile.networks.values()}
    yield from (cni for cni in ("flannel", "calico") if cni in cnis)
    if any(network.needs_multus for network in profile.networks.values()):
        yield "multus"


def _daemon(cluster: Cluster, daemon: str, nodes: Sequence[Node]) -> tuple[Verdict, str]:
    """S15: its pod is ready on every node that carries probe pods."""
    sets = inventory.daemon_sets(cluster, DAEMONS[daemon])
    if sets is None:
        raise _Unknown(
            f"no DaemonSet labelled {DAEMONS[daemon]}: {daemon} runs otherwise, or not at all"
        )
    # Old manifests have a DaemonSet for each architecture; those of absent ones want no pods.
    sets = [one for one in sets if (one.get("status") or {}).get("desiredNumberScheduled")] or sets
    names = ", ".join(inventory.name_of(one) for one in sets)
    if len(sets) > 1:
        # Two of them write the same files and devices (flannel-io/flannel#2124).
        return Verdict.FAIL, f"{len(sets)} DaemonSets labelled {DAEMONS[daemon]}: {names}; keep one"
    pods = inventory.daemon_pods(cluster, sets[0])
    if not pods:
        return _by_status(cluster, daemon, sets[0])
    wrong = [problem for node in nodes if (problem := _on_node(daemon, node, pods))]
    if wrong:
        return Verdict.FAIL, "; ".join(wrong)
    return Verdict.PASS, f"{names} is ready on {', '.join(node.name for node in nodes)}"


def _by_status(cluster: Cluster, daemon: str, daemon_set: Mapping[str, Any]) -> tuple[Verdict, str]:
    """What a DaemonSet tells of itself where it shows no pods: enough if it is on every node."""
    status = daemon_set.get("status") or {}
    desired, ready = (int(status.get(k) or 0) for k in ("desiredNumberScheduled", "numberReady"))
    text = f"{inventory.name_of(daemon_set)}: {ready} of {desired} {daemon} pods ready"
    if ready < desired or not desired:
        return Verdict.FAIL, f"{text}; see kubectl describe"
    if desired < len(cluster.nodes()):
        raise _Unknown(f"{text}, and its pods, which would say on which nodes, are not shown")
    return Verdict.PASS, f"{text}, on every node"


def _on_node(daemon: str, node: Node, pods: Sequence[Mapping[str, Any]]) -> str:
    """What is wrong with a daemon on a node; empty where nothing is."""
    there = [pod for pod in pods if (pod.get("spec") or {}).get("nodeName") == node.name]
    if not there:
        return f"no {daemon} pod on node {node.name}"
    if any(is_ready(pod) for pod in there):
        return ""
    return f"{daemon} pod {there[0]['metadata']['name']} on {node.name}: {state(there[0])}"
