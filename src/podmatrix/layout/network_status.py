"""Row S16: Multus' annotation, `ip a` inside the pod and status.podIPs say the same."""

from ipaddress import ip_address

from podmatrix.layout.finding import Finding, fails
from podmatrix.layout.seen import Subject, global_addresses
from podmatrix.model import NetworkStatus
from podmatrix.profile import DEFAULT_NETWORK


def network_status(subject: Subject) -> Finding:
    """Compare the sources of one interface and name the one that disagrees."""
    live = frozenset(ip_address(a.address).compressed for a in global_addresses(subject.interface))
    expected = _text(live)
    entry = _entry(subject)
    if entry is None:
        return fails(expected, None, [_why_no_entry(subject)])
    told = frozenset(_compressed(ip) for ip in entry.ips)
    problems = _address_problems(subject, told, live) + _link_problems(subject, entry)
    return fails(expected, _text(told), problems)


def _entry(subject: Subject) -> NetworkStatus | None:
    """The element of this interface.

    Calico up to v3.30 returns no sandbox interface, so that the default element has no name.
    """
    for entry in subject.pod.network_status:
        unnamed = not entry.interface and entry.default and subject.first
        if entry.interface == subject.interface.name or unnamed:
            return entry
    return None


def _why_no_entry(subject: Subject) -> str:
    if not subject.pod.network_status:
        return "the pod has no network-status annotation: Multus did not set it up"
    names = ", ".join(entry.interface or "?" for entry in subject.pod.network_status)
    return f"network-status has no element for {subject.interface.name}, only for {names}"


def _address_problems(subject: Subject, told: frozenset[str], live: frozenset[str]) -> list[str]:
    sources = {"network-status": told, "ip a": live}
    # status.podIPs comes from the first interface alone.
    if subject.first:
        sources["status.podIPs"] = frozenset(_compressed(ip) for ip in subject.pod.pod_ips)
    if len(set(sources.values())) == 1:
        return []
    said = ", ".join(f"{name} says {_text(ips) or 'none'}" for name, ips in sources.items())
    odd = [
        name
        for name, ips in sources.items()
        if len(sources) == 3 and list(sources.values()).count(ips) == 1
    ]
    # With two sources, or three opinions, nothing tells which one is wrong.
    who = f"{odd[0]} disagrees" if len(odd) == 1 else "they disagree"
    return [f"{who}: {said}"]


def _link_problems(subject: Subject, entry: NetworkStatus) -> list[str]:
    live = subject.interface
    problems = []
    if entry.mac and live.mac and entry.mac.lower() != live.mac.lower():
        problems.append(f"network-status says MAC {entry.mac}, ip a says {live.mac}")
    if entry.mtu is not None and entry.mtu != live.mtu:
        problems.append(f"network-status says MTU {entry.mtu}, ip a says {live.mtu}")
    attach = subject.network.attach
    nad = attach.default if subject.first else attach.secondary
    # Only the name: where the declared object is missing, the run makes one in its own namespace.
    if nad != DEFAULT_NETWORK and entry.name.rpartition("/")[2] != nad.rpartition("/")[2]:
        problems.append(f"network-status says it is on {entry.name!r}, declared is {nad}")
    return problems


def _compressed(text: str) -> str:
    """One spelling for each address; words that are none stay what they are."""
    try:
        return ip_address(text).compressed
    except ValueError:
        return text


def _text(addresses: frozenset[str]) -> str | None:
    return ", ".join(sorted(addresses)) or None
