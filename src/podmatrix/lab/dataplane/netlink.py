"""Links, addresses, routes and neighbours of one network namespace, in iproute2's words.

A thin layer over pyroute2 that gives errors a subject. From one thread at a time, and never from a
thread that runs an event loop: pyroute2 has one of its own.
"""

import errno
import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from ipaddress import IPv4Address, IPv4Interface, IPv4Network
from typing import Any, Literal

from pyroute2 import IPRoute
from pyroute2.netlink import NLM_F_ACK, NLM_F_CREATE, NLM_F_REQUEST
from pyroute2.netlink.exceptions import NetlinkError
from pyroute2.netlink.rtnl import RTM_NEWROUTE

from podmatrix.errors import LabError
from podmatrix.lab.netns import NetNS

MacvlanMode = Literal["bridge", "private", "vepa", "passthru"]
Attribute = str | int
"""Of a link, as pyroute2 takes it."""

PROTO_BOOT = 3
"""What routes get that `ip route` and most CNI plugins add: shown without a protocol."""

PROTO_FELIX = 80
"""Calico's DeviceRouteProtocol."""

SCOPE_LINK = 253
_ANY_SCOPE = 255
_PREPEND = (RTM_NEWROUTE, NLM_F_REQUEST | NLM_F_ACK | NLM_F_CREATE)
_DEFAULT = IPv4Network("0.0.0.0/0")


class Netlink:
    """What can be changed in one network namespace. Every method raises LabError."""

    def __init__(self, ipr: IPRoute, where: str) -> None:
        self._ipr = ipr
        self._where = where

    @contextmanager
    def _doing(self, what: str, *, tolerate: tuple[int, ...] = ()) -> Iterator[None]:
        try:
            yield
        except (NetlinkError, OSError) as exc:
            code = exc.code if isinstance(exc, NetlinkError) else exc.errno
            if code not in tolerate:
                reason = os.strerror(code) if code else str(exc)
                raise LabError(f"ip {what} (in {self._where}): {reason}") from exc

    def find_link(self, name: str) -> int | None:
        """The index of a link, None where there is none."""
        with self._doing(f"link show {name}", tolerate=(errno.ENODEV,)):
            for link in self._ipr.link("get", ifname=name):
                return int(link["index"])
        return None

    def link(self, name: str) -> int:
        """The index of a link that must be there."""
        index = self.find_link(name)
        if index is None:
            raise LabError(f"ip link show {name} (in {self._where}): no such device")
        return index

    def mac(self, index: int) -> str:
        """The MAC address of a link."""
        with self._doing(f"link show {index}"):
            (link,) = self._ipr.link("get", index=index)
            return str(link.get_attr("IFLA_ADDRESS"))

    def mtu(self, index: int) -> int:
        """The MTU of a link in bytes."""
        with self._doing(f"link show {index}"):
            (link,) = self._ipr.link("get", index=index)
            return int(link.get_attr("IFLA_MTU"))

    def master(self, index: int) -> int | None:
        """The index of the bridge a link is a port of."""
        with self._doing(f"link show {index}"):
            (link,) = self._ipr.link("get", index=index)
            master = link.get_attr("IFLA_MASTER")
            return None if master is None else int(master)

    def add_link(
        self, name: str, kind: str, *, exist_ok: bool = False, **attributes: Attribute
    ) -> int:
        """Make a link and return its index; attributes are pyroute2's."""
        tolerate = (errno.EEXIST,) if exist_ok else ()
        with self._doing(f"link add {name} type {kind}", tolerate=tolerate):
            self._ipr.link("add", ifname=name, kind=kind, **attributes)
        return self.link(name)

    def add_veth(self, name: str, peer: str, netns: NetNS, **attributes: Attribute) -> int:
        """A veth pair whose other end, `peer`, starts in `netns`; `peer_*` attributes are its own.

        Returns the index of the near end.
        """
        own = {key: value for key, value in attributes.items() if not key.startswith("peer_")}
        far = {key[5:]: value for key, value in attributes.items() if key.startswith("peer_")}
        what = f"link add {name} type veth peer {peer} netns {netns.name}"
        with self._doing(what), _opened(netns) as descriptor:
            far_end = {"ifname": peer, "net_ns_fd": descriptor, **far}
            self._ipr.link("add", ifname=name, kind="veth", peer=far_end, **own)
        return self.link(name)

    def add_macvlan(
        self, name: str, parent: int, netns: NetNS, *, mode: MacvlanMode, mtu: int, mac: str = ""
    ) -> None:
        """A macvlan of the link `parent` that starts in `netns`; its MAC is random unless given."""
        attributes: dict[str, Any] = {"address": mac} if mac else {}
        what = f"link add {name} link {parent} type macvlan netns {netns.name}"
        with self._doing(what), _opened(netns) as descriptor:
            self._ipr.link(
                "add",
                ifname=name,
                kind="macvlan",
                link=parent,
                macvlan_mode=mode,
                mtu=mtu,
                txqlen=0,  # as CNI plugins make links
                net_ns_fd=descriptor,
                **attributes,
            )

    def set_link(self, index: int, **attributes: Attribute) -> None:
        """Change a link: `state="up"`, `mtu=`, `address=`, `master=`."""
        with self._doing(f"link set {index} {attributes}"):
            self._ipr.link("set", index=index, **attributes)

    def set_hairpin(self, index: int) -> None:
        """Let a bridge port send back where a frame came from."""
        with self._doing(f"link set {index} hairpin on"):
            self._ipr.brport("set", index=index, mode=1)

    def delete_link(self, name: str) -> bool:
        """Remove a link; False where there is none."""
        index = self.find_link(name)
        if index is None:
            return False
        with self._doing(f"link del {name}", tolerate=(errno.ENODEV,)):
            self._ipr.link("del", index=index)
        return True

    def addresses(self, index: int) -> list[IPv4Interface]:
        """The IPv4 addresses of a link."""
        with self._doing(f"address show {index}"):
            return [
                IPv4Interface(f"{message.get_attr('IFA_LOCAL')}/{message['prefixlen']}")
                for message in self._ipr.get_addr(family=socket.AF_INET, index=index)
            ]

    def add_address(
        self,
        index: int,
        address: IPv4Interface,
        *,
        broadcast: bool = False,
        exist_ok: bool = False,
    ) -> None:
        """Give a link an address, with a broadcast address or without."""
        more = {"broadcast": str(address.network.broadcast_address)} if broadcast else {}
        tolerate = (errno.EEXIST,) if exist_ok else ()
        with self._doing(f"address add {address} dev {index}", tolerate=tolerate):
            self._ipr.addr(
                "add",
                index=index,
                address=str(address.ip),
                prefixlen=address.network.prefixlen,
                **more,
            )

    def add_route(
        self,
        destination: IPv4Network = _DEFAULT,
        *,
        via: IPv4Address | None = None,
        dev: int | None = None,
        scope: int = 0,
        source: IPv4Address | None = None,
        metric: int | None = None,
        prepend: bool = False,
        exist_ok: bool = False,
    ) -> None:
        """`prepend` puts the route in front of its likes, else they are in its way."""
        command = _PREPEND if prepend else "add"
        route: dict[str, Any] = {"proto": PROTO_BOOT, "scope": scope, "type": "unicast"}
        if via is not None:
            route["gateway"] = str(via)
        if dev is not None:
            route["oif"] = dev
        if source is not None:
            route["prefsrc"] = str(source)
        if metric is not None:
            route["priority"] = metric
        what = f"route {'prepend' if prepend else 'add'} {destination} via {via} dev {dev}"
        with self._doing(what, tolerate=(errno.EEXIST,) if exist_ok else ()):
            self._ipr.route(command, dst=_route_destination(destination), **route)

    def add_blackhole(self, destination: IPv4Network, *, proto: int) -> None:
        """A route that drops."""
        with self._doing(f"route add blackhole {destination}"):
            self._ipr.route("add", dst=str(destination), type="blackhole", proto=proto)

    def delete_route(self, destination: IPv4Network, *, dev: int) -> None:
        """Remove a route by way of a link."""
        with self._doing(f"route del {destination} dev {dev}"):
            self._ipr.route("del", dst=str(destination), oif=dev, scope=_ANY_SCOPE, proto=0)

    def default_route_link(self) -> int | None:
        """The index of the link that the first IPv4 default route leaves by, None without one."""
        with self._doing("route show default"):
            for route in self._ipr.get_default_routes(family=socket.AF_INET):
                return int(route.get_attr("RTA_OIF"))
        return None

    def delete_default_routes(self, dev: int) -> None:
        """Remove every IPv4 default route by way of a link."""
        with self._doing(f"route del default dev {dev}"):
            for route in self._ipr.get_default_routes(family=socket.AF_INET):
                if route.get_attr("RTA_OIF") == dev:
                    self._ipr.route("del", family=socket.AF_INET, dst="default", oif=dev)

    def add_fdb(self, index: int, mac: str, remote: IPv4Address) -> None:
        """A permanent entry of a VXLAN device: frames to `mac` go to `remote`."""
        with self._doing(f"fdb append {mac} dev {index} dst {remote}"):
            self._ipr.fdb("append", ifindex=index, lladdr=mac, dst=str(remote))


@contextmanager
def _opened(netns: NetNS) -> Iterator[int]:
    """A descriptor of a namespace, for links that start in it."""
    descriptor = os.open(netns.path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        yield descriptor
    finally:
        os.close(descriptor)


def _route_destination(destination: IPv4Network) -> str:
    return "default" if destination == _DEFAULT else str(destination)


@contextmanager
def connect(netns: NetNS) -> Iterator[Netlink]:
    """Speak netlink with a namespace."""
    with netns.ipr() as ipr:
        yield Netlink(ipr, netns.name)
