"""Checks of one declared interface."""

from collections import Counter
from ipaddress import IPv4Network, IPv6Network, ip_address, ip_interface, ip_network

from podmatrix.layout.finding import Finding, broken, compare, fails, observed
from podmatrix.layout.seen import Subject, global_addresses
from podmatrix.model import Address, Node
from podmatrix.profile import Network


def present(subject: Subject) -> Finding:
    """The interface is there (it was found before this was called) and is up."""
    state = "up" if subject.interface.up else "down"
    return compare("up", state, f"{subject.interface.name} is down inside the pod")


def mtu(subject: Subject) -> Finding:
    """The MTU that is declared, else the one of all other pods on the network."""
    found = subject.interface.mtu
    if subject.network.mtu is not None:
        return compare(
            subject.network.mtu,
            found,
            f"MTU {found}, declared {subject.network.mtu} for network {subject.network_name}",
        )
    others = {name: live.mtu for name, live in subject.seen.on_network(subject.network_name)}
    if len(others) < 2:
        return observed(found, "no MTU is declared, and there is no other pod to compare with")
    counts = Counter(others.values())
    if len(counts) == 1:
        return compare(found, found, "")
    spread = "; ".join(
        f"{value} on {', '.join(name for name, its in others.items() if its == value)}"
        for value in sorted(counts)
    )
    (most, times), (_, second) = counts.most_common(2)
    # Without a majority nothing says which pods are the odd ones: all of them are shown as such.
    return compare(most if times > second else None, found, f"MTUs differ on one network: {spread}")


def pool(subject: Subject) -> Finding:
    """Every address lies in the declared CIDR of its family, and each family has one."""
    found = _text(subject.addresses())
    if not subject.network.cidr:
        return observed(found, "no CIDR is declared")
    problems = _families_without(subject)
    for address in subject.addresses():
        cidrs = _of_family(subject.network, address.family)
        if not any(ip_address(address.address) in cidr for cidr in cidrs):
            problems.append(f"{address.address} is not in {_join(cidrs)}")
    return fails(_join(subject.network.cidr), found, problems)


def prefix(subject: Subject) -> Finding:
    """Calico routes to single hosts: /32, and /128 for IPv6. Unknown CNIs are only shown."""
    lengths = " ".join(f"/{a.prefix_length}" for a in subject.addresses()) or None
    if subject.network.cni != "calico":
        return observed(lengths, "the CNI of this network is not declared")
    expected = {4: 32, 6: 128}
    problems = _families_without(subject)
    problems += [
        f"{a.address}/{a.prefix_length} is no host route: another CNI than Calico gave it"
        for a in subject.addresses()
        if a.prefix_length != expected[a.family]
    ]
    text = " ".join(f"/{expected[family]}" for family in subject.network.families)
    return fails(text, lengths, problems)


def node_subnet(subject: Subject) -> Finding:
    """Flannel leases the node's podCIDR (kube-subnet-mgr): addresses and prefixes come from it."""
    found = [ip_interface(f"{a.address}/{a.prefix_length}").network for a in subject.addresses()]
    leases = leases_of(subject.node, subject.network)
    if not leases:
        return observed(_join(found), _why_no_lease(subject.node, subject.network))
    problems = _families_without(subject)
    problems += [
        f"{network} is not the subnet of {subject.node.name}, {_join(leases)}"
        for network in found
        if network not in leases and network.version in {lease.version for lease in leases}
    ]
    return fails(_join(leases), _join(found), problems)


def leases_of(node: Node, network: Network) -> tuple[IPv4Network | IPv6Network, ...]:
    """The node's podCIDRs, in so far as they are Flannel's: in the declared CIDR, if there is one.

    With its etcd backend Flannel leases subnets that have nothing to do with podCIDRs.
    """
    cidrs = [ip_network(text) for text in node.pod_cidrs]
    return tuple(
        cidr
        for cidr in cidrs
        if cidr.version in network.families
        and (
            not network.cidr
            or any(_within(cidr, pool) for pool in _of_family(network, cidr.version))
        )
    )


def address_unique(subject: Subject) -> Finding:
    """host-local keeps one store per network name: two NADs can give one address out twice."""
    mine = {a.address for a in global_addresses(subject.interface)}
    if not mine:
        return broken(f"{subject.interface.name} has no address")
    shared = [
        f"{address} is also on {other}"
        for other, address in _other_addresses(subject)
        if address in mine
    ]
    return fails(", ".join(sorted(mine)), ", ".join(sorted(mine)), shared)


def _other_addresses(subject: Subject) -> list[tuple[str, str]]:
    return [
        (f"{layout.role_id} {live.name}", a.address)
        for layout in subject.seen.observations.layouts
        for live in layout.interfaces
        for a in global_addresses(live)
        if (layout.role_id, live.name) != (subject.role_id, subject.interface.name)
    ]


def _families_without(subject: Subject) -> list[str]:
    have = {a.family for a in subject.addresses()}
    name = subject.interface.name
    return [f"{name} has no IPv{f} address" for f in subject.network.families if f not in have]


def _of_family(network: Network, family: int) -> tuple[IPv4Network | IPv6Network, ...]:
    return tuple(cidr for cidr in network.cidr if cidr.version == family)


def _within(cidr: IPv4Network | IPv6Network, pool: IPv4Network | IPv6Network) -> bool:
    if isinstance(cidr, IPv4Network) and isinstance(pool, IPv4Network):
        return cidr.subnet_of(pool)
    if isinstance(cidr, IPv6Network) and isinstance(pool, IPv6Network):
        return cidr.subnet_of(pool)
    return False


def _why_no_lease(node: Node, network: Network) -> str:
    if not node.pod_cidrs:
        return f"node {node.name} has no podCIDR"
    return f"podCIDR {', '.join(node.pod_cidrs)} of {node.name} is not in {_join(network.cidr)}"


def _text(addresses: tuple[Address, ...]) -> str | None:
    return ", ".join(f"{a.address}/{a.prefix_length}" for a in addresses) or None


def _join(networks: list[IPv4Network | IPv6Network] | tuple[IPv4Network | IPv6Network, ...]) -> str:
    return ", ".join(str(network) for network in networks)
