"""Reads `ip -j addr`, `ip addr` and `ip route` as iproute2 4.x to 6.x and busybox print them.

`eth0@if11` and `tunl0@NONE` are eth0 and tunl0: what follows the `@` is the other end of a veth, or
nothing, as is `link-netnsid`.
"""

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from ipaddress import ip_address
from itertools import pairwise
from typing import Any

from podmatrix.errors import ProbeError
from podmatrix.model import Address, Interface

_LINK = re.compile(
    r"\d+: (?P<name>[^:@\s]+)(?:@[^:\s]+)?: <(?P<flags>[^>]*)>.* mtu (?P<mtu>\d+)(?: .*)?"
)
_MAC = re.compile(r"\s+link/ether (?P<mac>[0-9a-f:]{17})(?: .*)?")
_ADDRESS = re.compile(
    r"\s+inet6? (?P<address>[0-9a-f.:]+)(?: peer [0-9a-f.:]+)?/(?P<prefix>\d+)(?: .*)?"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Route:
    """What `ip route get` chose: the interface a packet leaves by and the source it gets."""

    interface: str
    source: str | None


def parse_ip_json(text: str) -> tuple[Interface, ...]:
    """Read `ip -j addr`. Raises ProbeError."""
    try:
        links = json.loads(text)
        return tuple(_interface(link) for link in links if link)
    except (ValueError, TypeError, KeyError) as exc:
        raise ProbeError(f"ip -j addr: cannot be read, {exc!r}: {text[:200]}") from exc


def _interface(link: dict[str, Any]) -> Interface:
    return Interface(
        name=str(link["ifname"]),
        mtu=int(link["mtu"]),
        up="UP" in link["flags"],
        mac=str(link["address"]) if link.get("link_type") == "ether" else "",
        addresses=tuple(
            _address(info["local"], info["prefixlen"]) for info in link.get("addr_info", ()) if info
        ),
    )


def _address(address: str, prefix_length: str | int) -> Address:
    parsed = ip_address(address)
    return Address(family=parsed.version, address=str(parsed), prefix_length=int(prefix_length))


def parse_ip_text(text: str) -> tuple[Interface, ...]:
    """Read `ip addr` (also `ip a`). Raises ProbeError where it shows no interface at all."""
    interfaces: list[Interface] = []
    for line in text.splitlines():
        if head := _LINK.fullmatch(line.rstrip()):
            interfaces.append(
                Interface(
                    name=head["name"], mtu=int(head["mtu"]), up="UP" in head["flags"].split(",")
                )
            )
        elif not interfaces:
            raise ProbeError(f"ip addr: cannot be read: {line}")
        elif mac := _MAC.fullmatch(line.rstrip()):
            interfaces[-1] = _with(interfaces[-1], mac=mac["mac"])
        elif found := _ADDRESS.fullmatch(line.rstrip()):
            interfaces[-1] = _with(
                interfaces[-1], address=_address(found["address"], found["prefix"])
            )
    if not interfaces:
        raise ProbeError("ip addr: it printed nothing; the image needs iproute2 or busybox ip")
    return tuple(interfaces)


def _with(interface: Interface, *, mac: str = "", address: Address | None = None) -> Interface:
    return Interface(
        name=interface.name,
        mtu=interface.mtu,
        up=interface.up,
        mac=mac or interface.mac,
        addresses=interface.addresses + ((address,) if address else ()),
    )


def parse_interfaces(lines: Sequence[str]) -> tuple[Interface, ...]:
    """Read either form. Raises ProbeError."""
    text = "\n".join(lines)
    return parse_ip_json(text) if text.lstrip().startswith("[") else parse_ip_text(text)


def default_routes(lines: Sequence[str]) -> tuple[str, ...]:
    """The default routes of `ip route`, as written: `default via 169.254.1.1 dev eth0`.

    Either family's: an IPv6 gateway has colons, and without a gateway the output tells no family.
    """
    return tuple(" ".join(line.split()) for line in lines if line.split()[:1] == ["default"])


def parse_lookups(lines: Sequence[str]) -> dict[str, Route]:
    """Read `ip -o route get`, one line per address; an address without a route has no line.

    Raises ProbeError for a line that is none of its.
    """
    routes = {}
    for line in lines:
        words = line.split()
        if words[:1] and words[0] in {"local", "broadcast", "multicast", "anycast", "unicast"}:
            words = words[1:]
        options = dict(pairwise(words))
        if not words or "dev" not in options:
            raise ProbeError(f"ip route get: cannot be read: {line}")
        routes[words[0]] = Route(interface=options["dev"], source=options.get("src"))
    return routes
