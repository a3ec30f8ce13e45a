"""Profile + slots -> every question of a run: cells and layout facts. Pure and deterministic.

The same arguments give the same plan in every process: workers and saved records rely on it.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import chain, count, product
from string import ascii_lowercase

from podmatrix.controls import destination_key, source_key
from podmatrix.errors import ProfileError
from podmatrix.model import Attachment, Cell, Expect, LayoutFact, Mode, PodRole
from podmatrix.profile import Profile

LAYOUT_CHECKS = {
    "node": "the pod runs on the node it was pinned to (S04)",
    "node-address": "a hostNetwork pod has its node's address (S09)",
    "interfaces": "interfaces are exactly those declared, in their order (S01, S03)",
    "default-route": "exactly one default route, by the first interface (S02, F28)",
    "present": "the interface exists and is up",
    "mtu": "the interface has the network's MTU",
    "pool": "the address lies in the network's CIDR",
    "prefix": "the address is a host route, /32 or /128, as Calico gives it (S01)",
    "node-subnet": "the address lies in this node's podCIDR, with its prefix (S02)",
    "address-unique": "no other pod of the run has the same address (F29)",
    "network-status": "the annotation, the live address and status.podIPs agree (S16)",
}
"""What each layout check asserts. Keys are the `check` of LayoutFact."""

_CNI_CHECKS: Mapping[str | None, tuple[str, ...]] = {
    "calico": ("prefix",),
    "flannel": ("node-subnet",),
    # Read from the cluster, where nothing says what the prefix should be: shown, not judged.
    None: ("prefix",),
}
"""Layout checks that only some CNIs allow."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """Everything one run asks. Ids are unique within cells and within facts."""

    roles: tuple[PodRole, ...]
    cells: tuple[Cell, ...]
    facts: tuple[LayoutFact, ...]


def make_plan(profile: Profile, slots: Sequence[str]) -> Plan:
    """Plan the cells and facts of `profile` on `slots`, in the order of the profile's pod kinds.

    Raises ProfileError where names are such that two cells or facts would have one id.
    """
    roles = profile.roles(tuple(slots))
    cells = tuple(chain(_natural(profile, roles), _bound(profile, roles)))
    cells += tuple(_controls(profile, roles, cells))
    if len(slots) > 1:  # on one node many a rule has nothing to speak of
        _require_every_rule(profile, cells)
    facts = tuple(chain.from_iterable(_facts(profile, role) for role in roles))
    for ids in ([cell.id for cell in cells], [fact.id for fact in facts]):
        _require_unique(profile, ids)
    return Plan(roles=roles, cells=cells, facts=facts)


def slots_for(n: int) -> tuple[str, ...]:
    """The first `n` slots: a ... z, aa, ab ..."""
    words = (
        "".join(letters) for size in count(1) for letters in product(ascii_lowercase, repeat=size)
    )
    return tuple(next(words) for _ in range(n))


def _attachments(role: PodRole) -> Iterator[Attachment]:
    """What can be aimed at in a pod; of a hostNetwork pod that is the node's own address."""
    for interface, network in role.interfaces or ((None, None),):
        yield Attachment(kind=role.kind, slot=role.slot, interface=interface, network=network)


def _natural_source(role: PodRole, destination: Attachment) -> Attachment:
    """The source whose routes choose: declared routes lead to a network the pod is on directly."""
    networks = [network for _, network in role.interfaces]
    network = networks[0] if networks else None
    if destination.network in networks:
        network = destination.network
    return Attachment(kind=role.kind, slot=role.slot, interface=None, network=network)


def _same_host(source: PodRole, other: PodRole) -> bool:
    """Two hostNetwork pods of a node: what they send each other goes over lo and proves nothing."""
    return source.host_network and other.host_network and source.slot == other.slot


def _natural(profile: Profile, roles: Sequence[PodRole]) -> Iterator[Cell]:
    for source, other in product(roles, roles):
        if source.id == other.id or _same_host(source, other):
            continue
        for destination in _attachments(other):
            start = _natural_source(source, destination)
            for family in _families(profile, start, destination):
                yield Cell(source=start, destination=destination, family=family)


def _bound(profile: Profile, roles: Sequence[PodRole]) -> Iterator[Cell]:
    """Bound cells: within a network always, across networks where a rule speaks of bound ones."""
    for cell in _bound_candidates(profile, roles):
        if cell.source.network == cell.destination.network or _asked_for(profile, cell):
            yield cell


def _bound_candidates(profile: Profile, roles: Sequence[PodRole]) -> Iterator[Cell]:
    several = [role for role in roles if len(role.interfaces) > 1]
    for source, other in product(several, roles):
        if source.id == other.id:
            continue
        for start, destination in product(_attachments(source), _attachments(other)):
            for family in _families(profile, start, destination):
                yield Cell(source=start, destination=destination, family=family, mode=Mode.BOUND)


def _asked_for(profile: Profile, cell: Cell) -> bool:
    found = profile.rule_for(cell)
    return found is not None and Mode.BOUND in (found[1].from_.mode, found[1].to.mode)


def _families(profile: Profile, source: Attachment, destination: Attachment) -> tuple[int, ...]:
    """Families that both ends have; a hostNetwork pod is aimed at by its node's one InternalIP."""
    first = next(iter(profile.networks.values()), None)
    primary = first.families[:1] if first else (4,)
    theirs = profile.networks[destination.network].families if destination.network else primary
    if source.network is None:
        return theirs
    return tuple(family for family in theirs if family in profile.networks[source.network].families)


def _controls(profile: Profile, roles: Sequence[PodRole], cells: Sequence[Cell]) -> Iterator[Cell]:
    """Cells added only to make forbidden ones believable, where the plan has none that could.

    Every natural cell is planned anyway, so only bound ones can be missing.
    """
    for key in (source_key, destination_key):
        served = {key(cell) for cell in cells if _may_answer(profile, cell)}
        lacking = {key(cell) for cell in cells if not _may_answer(profile, cell)} - served
        planned = {cell.id for cell in cells}
        for candidate in _bound_candidates(profile, roles) if lacking else ():
            if candidate.id in planned or not _may_answer(profile, candidate):
                continue
            if key(candidate) in lacking:
                lacking.remove(key(candidate))
                cells = (*cells, candidate)
                yield replace(candidate, control=True)


def _may_answer(profile: Profile, cell: Cell) -> bool:
    return profile.expected(cell) is not Expect.FORBIDDEN


def _facts(profile: Profile, role: PodRole) -> Iterator[LayoutFact]:
    def fact(check: str, interface: str | None = None) -> LayoutFact:
        return LayoutFact(kind=role.kind, slot=role.slot, interface=interface, check=check)

    yield fact("node")
    if role.host_network:
        yield fact("node-address")
        return
    yield fact("interfaces")
    yield fact("default-route")
    # Without Multus nobody writes the annotation.
    multus = any(network.needs_multus for network in profile.networks.values())
    for interface, name in role.interfaces:
        checks = ["present", "mtu", "pool", "address-unique"]
        checks += _CNI_CHECKS.get(profile.networks[name].cni, ())
        checks += ["network-status"] if multus else []
        yield from (fact(check, interface) for check in checks)


def _require_every_rule(profile: Profile, cells: Iterable[Cell]) -> None:
    """A rule that decides nothing would be taken for one that holds. Raises ProfileError."""
    deciding = {found[0] for cell in cells if (found := profile.rule_for(cell))}
    idle = [index for index in range(len(profile.rules)) if index not in deciding]
    if idle:
        raise ProfileError(
            f"{profile.source}: reachability.rules.{idle[0]}: decides no cell: it matches none, or "
            "an earlier rule decides all of them; change or remove it (a natural source has no "
            "interface: write mode: bound)"
        )


def _require_unique(profile: Profile, ids: Iterable[str]) -> None:
    """Names with a '-' can make two things one id: kind `x-a`, or kind `x` with interface `a`."""
    seen: set[str] = set()
    for name in ids:
        if name in seen:
            raise ProfileError(
                f"{profile.source}: pods: two things would be called {name}; rename a pod kind"
            )
        seen.add(name)
