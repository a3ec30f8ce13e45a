"""Sets of addresses that iptables rules match, by netlink: the `ipset` tool is not needed."""

import socket
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

from pyroute2 import IPSet as Socket
from pyroute2.netlink.exceptions import NetlinkError

from podmatrix.errors import LabError
from podmatrix.lab.netns import NetNS


@dataclass(frozen=True, slots=True, kw_only=True)
class IpSet:
    """A set and its members, addresses or CIDRs after its type."""

    name: str
    type: Literal["hash:ip", "hash:net"]
    members: tuple[str, ...] = ()


def create_ipsets(netns: NetNS, ipsets: Iterable[IpSet]) -> None:
    """Make sets with felix's sizes. Raises LabError where the kernel refuses."""
    name = ""
    try:
        with netns.entered():
            connection = Socket()
        with connection:
            for ipset in ipsets:
                name = ipset.name
                _create(connection, ipset)
    except (NetlinkError, OSError) as exc:  # a kernel without nfnetlink refuses the socket itself
        raise LabError(f"ipset create {name} (in {netns.name}): {exc}") from exc


def _create(connection: Socket, ipset: IpSet) -> None:
    connection.create(
        ipset.name, stype=ipset.type, family=socket.AF_INET, hashsize=1024, maxelem=1048576
    )
    for member in ipset.members:
        connection.add(ipset.name, member, etype=ipset.type.removeprefix("hash:"))
