"""Runs as a healthy two-node cluster shows them, to be changed in one place by each test."""

from collections.abc import Callable, Mapping
from dataclasses import replace

from podmatrix.expectations import expectations
from podmatrix.judge import judge
from podmatrix.layout import judge_layout
from podmatrix.model import (
    Address,
    Attachment,
    Cell,
    Interface,
    LivePod,
    NetworkStatus,
    Node,
    Observation,
    Observations,
    Outcome,
    PodLayout,
    PodRole,
    PreflightResult,
    Verdict,
)
from podmatrix.plan import Plan, make_plan, slots_for
from podmatrix.profile import Profile, load_profile, parse_profile
from podmatrix.report.record import RunInfo, RunRecord

ISOLATED = """
apiVersion: podmatrix.io/v1alpha1
kind: Profile
metadata: {name: apart}
networks:
  calico: {cni: calico, attach: default, cidr: [10.200.0.0/16], mtu: 1480}
  flannel: {cni: flannel, attach: default/flannel-conf, cidr: [10.244.0.0/16], mtu: 1450}
pods:
  calico: {eth0: calico}
  flannel: {eth0: flannel}
  dual: {eth0: calico, net1: flannel}
  host: {hostNetwork: true}
reachability:
  default: required
  rules:
    - {from: {kind: dual, interface: net1, mode: bound}, to: calico, expect: observe}
    - {from: calico, to: flannel, expect: forbidden, reason: kept apart}
    - {from: flannel, to: calico, expect: forbidden, reason: kept apart}
"""

Outcomes = Mapping[str, Outcome] | Callable[[Cell], Outcome]

PACKETS = 3


def owner() -> Profile:
    """The built-in profile of the owner's cluster."""
    return load_profile("owner")


def isolated() -> Profile:
    """Two networks that must not reach each other."""
    return parse_profile(ISOLATED, source="apart.yaml")


def nodes(n: int = 2) -> tuple[Node, ...]:
    """Nodes as in the owner's example."""
    return tuple(
        Node(
            slot=slot,
            name=f"node{i + 1}",
            internal_ip=f"192.168.31.{128 + i}",
            pod_cidrs=(f"10.244.{i}.0/24",),
        )
        for i, slot in enumerate(slots_for(n))
    )


def address(kind: str, slot: str, interface: str, network: str) -> Address:
    """The address a pod would have: Calico /32 from a /26 block, Flannel /24 from the podCIDR."""
    i = ord(slot) - ord("a")
    place = 4 + len(kind) % 7 + (1 if interface == "net1" else 0)
    if network == "calico":
        return Address(family=4, address=f"10.200.{100 + i}.{128 + place}", prefix_length=32)
    return Address(family=4, address=f"10.244.{i}.{place}", prefix_length=24)


def live_layout(role: PodRole) -> PodLayout:
    """`ip a` and `ip route` of a healthy pod."""
    if role.host_network:
        return PodLayout(role_id=role.id)
    local = Interface(
        name="lo",
        mtu=65536,
        up=True,
        addresses=(Address(family=4, address="127.0.0.1", prefix_length=8),),
    )
    tunl0 = Interface(name="tunl0", mtu=1480, up=False)
    interfaces = tuple(
        Interface(
            name=name,
            mtu=1480 if network == "calico" else 1450,
            up=True,
            mac=f"02:00:00:00:00:0{n}",
            addresses=(
                address(role.kind, role.slot, name, network),
                Address(family=6, address="fe80::1", prefix_length=64),
            ),
        )
        for n, (name, network) in enumerate(role.interfaces)
    )
    first = role.interfaces[0][1]
    gateway = "169.254.1.1" if first == "calico" else f"10.244.{ord(role.slot) - ord('a')}.1"
    return PodLayout(
        role_id=role.id,
        interfaces=(local, tunl0, *interfaces),
        default_routes=(f"default via {gateway} dev eth0",),
    )


def live_pod(role: PodRole, node: Node) -> LivePod:
    """The pod as the API shows it, with Multus' annotation."""
    statuses = tuple(
        NetworkStatus(
            name="k8s-pod-network" if network == "calico" else "default/flannel-conf",
            interface=name,
            ips=(address(role.kind, role.slot, name, network).address,),
            mac=f"02:00:00:00:00:0{n}",
            default=n == 0,
        )
        for n, (name, network) in enumerate(role.interfaces)
    )
    return LivePod(
        role_id=role.id,
        namespace="podmatrix",
        name=role.id,
        uid=f"uid-{role.id}",
        node_name=node.name,
        host_ip=node.internal_ip,
        pod_ips=statuses[0].ips if statuses else (node.internal_ip,),
        network_status=statuses,
    )


def observe(cell: Cell, outcome: Outcome = Outcome.REACHABLE, **more: object) -> Observation:
    """An observation whose numbers fit its outcome."""
    received = {Outcome.REACHABLE: PACKETS, Outcome.LOSSY: 1}.get(outcome, 0)
    observation = Observation(
        cell_id=cell.id,
        outcome=outcome,
        sent=0 if outcome is Outcome.NOT_RUN else PACKETS,
        received=received,
        rtt_ms=0.1 if received else None,
        detail="" if outcome is Outcome.REACHABLE else f"{outcome} says the sample",
        tool="fping",
        source_interface=cell.source.interface or _route(cell.source),
        source_address=_of(cell.source),
        destination_address=_of(cell.destination),
        repeat=f"kubectl exec {cell.source.pod_id} -- ping -c 3 {_of(cell.destination)}",
    )
    return replace(observation, **more)  # type: ignore[arg-type]  # any field of it


def _route(source: Attachment) -> str | None:
    if source.network is None:
        return None
    return "net1" if (source.kind, source.network) == ("dual", "flannel") else "eth0"


def _of(end: Attachment) -> str:
    if end.network is None:
        return f"192.168.31.{128 + ord(end.slot) - ord('a')}"
    return address(end.kind, end.slot, end.interface or _route(end) or "", end.network).address


def observations(profile: Profile, plan: Plan, outcome: Outcomes, n: int = 2) -> Observations:
    """A whole sweep; `outcome` by cell id or by cell, reachable where it says nothing."""

    def of(cell: Cell) -> Outcome:
        return outcome(cell) if callable(outcome) else outcome.get(cell.id, Outcome.REACHABLE)

    by_slot = {node.slot: node for node in nodes(n)}
    return Observations(
        nodes=nodes(n),
        pods=tuple(live_pod(role, by_slot[role.slot]) for role in plan.roles),
        layouts=tuple(live_layout(role) for role in plan.roles),
        cells=tuple(observe(cell, of(cell)) for cell in plan.cells),
        preflight=(PreflightResult(check="S13-cidrs", verdict=Verdict.PASS, detail="disjoint"),),
        server_version="v1.34.4",
        execs=len(plan.roles),
    )


def record(
    profile: Profile | None = None,
    outcome: Outcomes | None = None,
    *,
    n: int = 2,
    change: Callable[[Observations], Observations] = lambda seen: seen,
) -> RunRecord:
    """A judged run; `change` alters what was seen before it is judged."""
    profile = profile or owner()
    plan = make_plan(profile, slots_for(n))
    seen = change(observations(profile, plan, outcome or {}, n))
    return RunRecord(
        run=RunInfo(
            id="20261123-060000-ab12",
            started="2026-11-23T06:00:00Z",
            duration_s=4.2,
            target="lab",
            server_version=seen.server_version,
            profile=profile.name,
            podmatrix="0.1.0",
            complete=seen.complete,
        ),
        observations=seen,
        preflight=seen.preflight,
        layout=judge_layout(profile, plan.facts, seen),
        cells=judge(plan.cells, expectations(profile, plan.cells), seen.cells),
    )


def across(first: str, second: str) -> Callable[[Cell], Outcome]:
    """Everything from one network to the other, and back, is silent."""

    def outcome(cell: Cell) -> Outcome:
        apart = {cell.source.network, cell.destination.network} == {first, second}
        return Outcome.UNREACHABLE if apart else Outcome.REACHABLE

    return outcome
