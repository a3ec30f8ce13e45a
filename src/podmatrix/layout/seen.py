"""What was seen of the pods of a run, looked up by role and interface."""

from collections.abc import Iterator
from dataclasses import dataclass
from ipaddress import ip_address

from podmatrix.model import Address, Interface, LivePod, Node, Observations, PodLayout
from podmatrix.profile import Network, Profile


@dataclass(frozen=True, slots=True)
class Seen:
    """The declaration and the observations of a run, side by side."""

    profile: Profile
    observations: Observations

    def node(self, slot: str) -> Node | None:
        """The node that plays `slot`."""
        return next((n for n in self.observations.nodes if n.slot == slot), None)

    def pod(self, role_id: str) -> LivePod | None:
        """The pod of that role, as the API showed it."""
        return next((p for p in self.observations.pods if p.role_id == role_id), None)

    def layout(self, role_id: str) -> PodLayout | None:
        """What was read inside that pod."""
        return next((p for p in self.observations.layouts if p.role_id == role_id), None)

    def pod_problem(self, role_id: str) -> str:
        """Why nothing can be said of that pod; empty where something can."""
        pod = self.pod(role_id)
        return f"no pod {role_id} was seen in this run" if pod is None else pod.problem

    def layout_problem(self, role_id: str) -> str:
        """Why nothing can be said of what is inside that pod; empty where something can."""
        if problem := self.pod_problem(role_id):
            return problem
        layout = self.layout(role_id)
        return "its interfaces were not read" if layout is None else layout.problem

    def declared(self, kind: str) -> tuple[tuple[str, str], ...]:
        """Interface and network names of a pod kind, in order."""
        return tuple(self.profile.pods[kind].interfaces.items())

    def on_network(self, name: str) -> Iterator[tuple[str, Interface]]:
        """Every live interface that is declared to be on a network: (`dual-a net1`, interface)."""
        for role in self.profile.roles([node.slot for node in self.observations.nodes]):
            if self.layout_problem(role.id):
                continue
            for interface, network in role.interfaces:
                live = find_interface(self.layout(role.id), interface)
                if network == name and live is not None:
                    yield f"{role.id} {interface}", live


@dataclass(frozen=True, slots=True, kw_only=True)
class Subject:
    """One declared interface of one pod that was read; `first` where it is the pod's first."""

    role_id: str
    first: bool
    network_name: str
    network: Network
    node: Node
    pod: LivePod
    interface: Interface
    seen: Seen

    def addresses(self) -> tuple[Address, ...]:
        """Its addresses in the families that the network declares, link-local ones left out."""
        families = self.network.families
        return tuple(a for a in global_addresses(self.interface) if a.family in families)


def find_interface(layout: PodLayout | None, name: str) -> Interface | None:
    """The interface of that name."""
    interfaces = layout.interfaces if layout else ()
    return next((i for i in interfaces if i.name == name), None)


def global_addresses(interface: Interface) -> tuple[Address, ...]:
    """Its addresses without link-local and loopback ones, which no CNI assigned."""
    return tuple(
        a
        for a in interface.addresses
        if not (ip_address(a.address).is_link_local or ip_address(a.address).is_loopback)
    )
