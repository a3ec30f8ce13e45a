"""The nouns of a run: frozen data, standard library only, no I/O.

Slots are the roles nodes play in a run (`a`, `b`, ...): ids of cells and facts are made of pod
kinds, slots and interface names, never of live names or addresses, so that they are the same in
every run and on every worker.
"""

from dataclasses import dataclass, field
from enum import StrEnum

ICMP_HEADERS = {4: 28, 6: 48}
"""IP plus ICMP header in bytes by family: payload_size = mtu - ICMP_HEADERS[family]."""


class Outcome(StrEnum):
    """What the source saw; NOT_RUN means that the probe itself could not be carried out."""

    REACHABLE = "reachable"
    LOSSY = "lossy"
    UNREACHABLE = "unreachable"
    REJECTED = "rejected"
    TOO_BIG = "too_big"
    NOT_RUN = "not_run"


class Expect(StrEnum):
    """What the profile says of a cell."""

    REQUIRED = "required"
    FORBIDDEN = "forbidden"
    OBSERVE = "observe"


class Verdict(StrEnum):
    """What follows from expectation and outcome: the table in judge.py."""

    PASS = "pass"
    FLAKY = "flaky"
    FAIL = "fail"
    BROKEN = "broken"
    OBSERVED = "observed"


class Mode(StrEnum):
    """NATURAL: the pod's own routes choose the way. BOUND: the probe forces the interface."""

    NATURAL = "natural"
    BOUND = "bound"


class Relation(StrEnum):
    """Where source and destination run, seen from each other."""

    SAME_NODE = "same-node"
    CROSS_NODE = "cross-node"


class ProbeKind(StrEnum):
    """What goes on the wire."""

    ICMP = "icmp"


@dataclass(frozen=True, slots=True, kw_only=True)
class Node:
    """A node of the cluster and the slot it plays in this run.

    `pod_cidrs` is `spec.podCIDRs`; empty where the cluster hands none out.
    """

    slot: str
    name: str
    internal_ip: str
    pod_cidrs: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class PodRole:
    """One pod of the plan: a pod kind on a node slot.

    `interfaces` maps ifname to network, in order; empty for a hostNetwork pod.
    """

    kind: str
    slot: str
    interfaces: tuple[tuple[str, str], ...] = ()
    host_network: bool = False

    @property
    def id(self) -> str:
        """For example `dual-a`."""
        return f"{self.kind}-{self.slot}"

    def network_of(self, interface: str) -> str | None:
        """The network an interface is declared to be on."""
        return dict(self.interfaces).get(interface)


@dataclass(frozen=True, slots=True, kw_only=True)
class Attachment:
    """One interface of one pod on one network: the smallest thing a probe starts from or aims at.

    `interface` is None for a hostNetwork pod (aimed at by the node's address) and for a natural
    source (its routes choose). `network` of a natural source is the one its routes are expected to
    choose: the destination's where the pod has it, else the one behind its first interface.
    """

    kind: str
    slot: str
    interface: str | None
    network: str | None

    @property
    def id(self) -> str:
        """For example `dual-a-net1`, or `host-a`."""
        return "-".join(part for part in (self.kind, self.slot, self.interface) if part)

    @property
    def pod_id(self) -> str:
        """The id of the PodRole it belongs to, for example `dual-a`."""
        return f"{self.kind}-{self.slot}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Cell:
    """One question of the matrix.

    A control cell was added only to make negative cells believable.
    """

    source: Attachment
    destination: Attachment
    probe: ProbeKind = ProbeKind.ICMP
    family: int = 4
    mode: Mode = Mode.NATURAL
    control: bool = False

    @property
    def id(self) -> str:
        """For example `dual-a-net1--flannel-b-eth0-icmp4`; only characters that `-k` accepts."""
        return f"{self.source.id}--{self.destination.id}-{self.probe}{self.family}"

    @property
    def relation(self) -> Relation:
        """Same node or across nodes."""
        same = self.source.slot == self.destination.slot
        return Relation.SAME_NODE if same else Relation.CROSS_NODE


@dataclass(frozen=True, slots=True, kw_only=True)
class Expectation:
    """What a cell must show, and the sentence that says where this was derived from."""

    expect: Expect
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Observation:
    """What the source of one cell saw.

    `attempts` counts sweep rounds (1 or more). `earlier` holds the outcomes of the rounds before
    the last one; `sent`, `received` and `rtt_ms` are of the last one. `source_interface`,
    `source_address`: what the route lookup in the pod chose, or the bound interface. `detail`: the
    cause in one line where the outcome is not `reachable`.
    """

    cell_id: str
    outcome: Outcome
    sent: int = 0
    received: int = 0
    rtt_ms: float | None = None
    attempts: int = 1
    earlier: tuple[Outcome, ...] = ()
    detail: str = ""
    tool: str = ""
    source_interface: str | None = None
    source_address: str | None = None
    destination_address: str | None = None
    repeat: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class JudgedCell:
    """The triple of every cell: expected, observed, verdict, and why the verdict is what it is."""

    cell: Cell
    expectation: Expectation
    observation: Observation
    verdict: Verdict
    why: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class LayoutFact:
    """One thing a pod's layout must show: planned before the run, so `expected` may be None.

    `check` is one of LAYOUT_CHECKS in plan.py. `interface` is None for facts of the whole pod.
    """

    kind: str
    slot: str
    interface: str | None
    check: str

    @property
    def id(self) -> str:
        """For example `dual-a-net1-mtu` or `host-a-node`."""
        parts = (self.kind, self.slot, self.interface, self.check)
        return "-".join(part for part in parts if part)


@dataclass(frozen=True, slots=True, kw_only=True)
class JudgedFact:
    """A layout fact with what was expected and what was seen; `detail` says why they differ."""

    fact: LayoutFact
    expected: str | int | None
    observed: str | int | None
    verdict: Verdict
    detail: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class PreflightResult:
    """One precondition of the run. `check` names the row of the system (`S13`) and the subject."""

    check: str
    verdict: Verdict
    detail: str
    skipped: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Address:
    """One address of a live interface."""

    family: int
    address: str
    prefix_length: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Interface:
    """One interface as seen live in a pod (`ip a`)."""

    name: str
    mtu: int
    up: bool
    mac: str = ""
    addresses: tuple[Address, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class NetworkStatus:
    """One element of `k8s.v1.cni.cncf.io/network-status` (NPWG specification 1.3, section 5.1)."""

    name: str
    interface: str | None
    ips: tuple[str, ...] = ()
    mac: str = ""
    mtu: int | None = None
    default: bool = False
    gateway: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class LivePod:
    """A pod of the testbed as the API shows it once it runs."""

    role_id: str
    namespace: str
    name: str
    uid: str
    node_name: str
    host_ip: str
    pod_ips: tuple[str, ...]
    network_status: tuple[NetworkStatus, ...] = ()
    problem: str = ""
    """Why it cannot be probed; empty when it runs and is ready."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PodLayout:
    """What `ip a` and `ip route` showed inside a pod; `problem` says why there is nothing.

    `routes_unread`: families whose routes could not be read, so that nothing is known of them.
    """

    role_id: str
    interfaces: tuple[Interface, ...] = ()
    default_routes: tuple[str, ...] = ()
    routes_unread: tuple[int, ...] = ()
    problem: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Completed:
    """A command that was carried out. `returncode` is None where the exit status never came."""

    argv: tuple[str, ...]
    returncode: int | None
    stdout: str
    stderr: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Observations:
    """Everything one sweep saw: enough to judge, to render and to judge again later."""

    nodes: tuple[Node, ...]
    pods: tuple[LivePod, ...] = ()
    layouts: tuple[PodLayout, ...] = ()
    cells: tuple[Observation, ...] = ()
    preflight: tuple[PreflightResult, ...] = ()
    server_version: str = ""
    execs: int = 0
    complete: bool = True
    notes: tuple[str, ...] = field(default=())
