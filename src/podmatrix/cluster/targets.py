"""Which address a cell aims at, which it starts from, and whether an answer would mean it. Pure.

Addresses come from the live pods alone: eth0's from status.podIPs, those of added interfaces from
network-status, a hostNetwork pod's from its node.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from ipaddress import ip_address

from podmatrix.model import Cell, LivePod, Mode, PodRole


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """A pod that sends, and the role it plays."""

    role: PodRole
    pod: LivePod

    @property
    def routes_choose(self) -> bool:
        """Whether its routes have more than one interface to choose from."""
        return self.role.host_network or len(self.role.interfaces) > 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """A cell that can be probed: its addresses and `interface`, to which a bound probe is bound.

    `interface` is None for a natural probe. `ambiguous` says why an answer would not tell who gave
    it; empty where it would.
    """

    cell_id: str
    family: int
    interface: str | None
    address: str
    own: str
    ambiguous: str = ""


class Addresses:
    """All addresses of the pods of a run."""

    def __init__(self, pods: Mapping[str, LivePod], roles: Mapping[str, PodRole]) -> None:
        self._pods = pods
        self._roles = roles
        self._first = self._firsts()
        self._holders = self._held()

    def target(self, cell: Cell) -> Target | str:
        """The target of a cell, or why it cannot be probed."""
        source, destination = cell.source.pod_id, cell.destination.pod_id
        for name, pod_id in (("source", source), ("destination", destination)):
            if problem := self._problem(pod_id):
                return f"{name} pod {pod_id}: {problem}"
        address = self._of(destination, cell.destination.interface, cell.family)
        if address is None:
            return self._no_address(destination, cell.destination.interface, cell.family)
        bound = cell.source.interface if cell.mode is Mode.BOUND else None
        own = self._of(source, bound, cell.family)
        if own is None:
            return self._no_address(source, bound, cell.family)
        # Two hostNetwork pods of one node are one and the same there, and rightly so.
        same = self._holder(source) == self._holder(destination)
        if self._holder(source) in self._holders[address] and not same:
            return (
                f"{address} is also an address of the source pod itself, which would answer: "
                "two pods were given one address"
            )
        return Target(
            cell_id=cell.id,
            family=cell.family,
            interface=bound,
            address=address,
            own=own,
            ambiguous=self._ambiguous(address),
        )

    def is_only_source(self, source: Source, family: int) -> bool:
        """Whether the pod has one single address of this family to send from."""
        addresses = [a for a in source.pod.pod_ips if _family(a) == family]
        return not source.routes_choose and len(addresses) == 1

    def _problem(self, pod_id: str) -> str:
        pod = self._pods.get(pod_id)
        return pod.problem if pod else "not deployed"

    def _ambiguous(self, address: str) -> str:
        holders = self._holders[address]
        if len(holders) < 2:
            return ""
        return f"{address} is held by {' and by '.join(sorted(holders))}: no telling who answered"

    def _no_address(self, pod_id: str, interface: str | None, family: int) -> str:
        where = f"{interface} of {pod_id}" if interface else pod_id
        return f"no address: neither status nor network-status tells an IPv{family} one for {where}"

    def _of(self, pod_id: str, interface: str | None, family: int) -> str | None:
        """The first address of an interface; None as interface means the pod's first one."""
        return self._first.get((pod_id, interface), {}).get(family)

    def _all_of(self, pod_id: str, interface: str | None) -> tuple[str, ...]:
        role, pod = self._roles[pod_id], self._pods[pod_id]
        if role.host_network:
            found: Iterable[str] = (pod.host_ip, *pod.pod_ips)
        elif interface is None or interface == role.interfaces[0][0]:
            found = pod.pod_ips
        else:
            found = (ip for s in pod.network_status if s.interface == interface for ip in s.ips)
        return tuple(str(ip_address(a)) for a in found if _family(a))

    def _firsts(self) -> dict[tuple[str, str | None], dict[int, str]]:
        """The first address of each family, by pod and interface."""
        firsts = {}
        for pod_id in self._pods:
            for interface in (None, *(name for name, _ in self._roles[pod_id].interfaces)):
                addresses = self._all_of(pod_id, interface)
                firsts[pod_id, interface] = {_family(a): a for a in reversed(addresses)}
        return firsts

    def _held(self) -> dict[str, set[str]]:
        """Address -> who has it. hostNetwork pods of one node are one holder: the node."""
        holders: dict[str, set[str]] = defaultdict(set)
        for pod_id in self._pods:
            for interface, _ in self._roles[pod_id].interfaces or ((None, ""),):
                for address in self._all_of(pod_id, interface):
                    holders[address].add(self._holder(pod_id))
        return holders

    def _holder(self, pod_id: str) -> str:
        host_network = self._roles[pod_id].host_network
        return f"node {self._pods[pod_id].node_name}" if host_network else f"pod {pod_id}"


def repeat_command(source: LivePod | None, target: Target | None, count: int) -> str:
    """The command that repeats a probe by hand; empty where there is nothing to repeat."""
    if source is None or target is None:
        return ""
    bound = f"-I {target.interface} " if target.interface else ""
    return (
        f"kubectl exec -n {source.namespace} {source.name} -- "
        f"ping -c {count} {bound}{target.address}"
    )


def _family(address: str) -> int:
    """4 or 6; 0 for what is no address."""
    try:
        return ip_address(address).version
    except ValueError:
        return 0
