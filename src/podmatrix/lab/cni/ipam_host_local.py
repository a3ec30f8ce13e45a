"""The host-local IPAM plugin: one file for each address, below /var/lib/cni/networks/<network>.

Source: containernetworking/plugins v1.9.1, plugins/ipam/host-local/backend. Two networks of
different names never see each other's files, whatever their ranges.
"""

import fcntl
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from ipaddress import AddressValueError, IPv4Address, IPv4Interface, IPv4Network
from pathlib import Path

from podmatrix.lab.cni.spec import CniArgs, IPConfig, NetworkConfig, PluginError, Result, Route

DATA_DIR = "/var/lib/cni/networks"
_LINE_BREAK = "\r\n"
_LAST = "last_reserved_ip.0"


@dataclass(frozen=True, slots=True)
class Range:
    """A range set of one range: the whole subnet but its first, gateway's and last address."""

    subnet: IPv4Network

    @property
    def gateway(self) -> IPv4Address:
        """The first host address."""
        return self.subnet.network_address + 1

    @property
    def end(self) -> IPv4Address:
        """The last host address."""
        return self.subnet.broadcast_address - 1

    def __str__(self) -> str:
        return f"{self.gateway}-{self.end}"

    def after(self, last: IPv4Address | None) -> Iterator[IPv4Address]:
        """Every address once, round robin from the one after `last`."""
        first, count = int(self.gateway), int(self.end) - int(self.gateway) + 1
        start = 0 if last is None or last not in self.subnet else int(last) - first + 1
        for offset in range(count):
            address = IPv4Address(first + (start + offset) % count)
            if address != self.gateway:
                yield address


class Store:
    """The files of one network on one node."""

    def __init__(self, files: Path, data_dir: str, network: str) -> None:
        self._directory = files / data_dir.lstrip("/") / network

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Keep others out, as the plugin does."""
        self._directory.mkdir(parents=True, exist_ok=True)
        with (self._directory / "lock").open("a") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield

    def reserve(self, owner: str, address: IPv4Address) -> bool:
        """False where it is taken."""
        try:
            with (self._directory / str(address)).open("x", newline="") as file:
                file.write(owner)
        except FileExistsError:
            return False
        (self._directory / _LAST).write_text(str(address))
        return True

    def last_reserved(self) -> IPv4Address | None:
        """The one handed out last; None where there was none or the file is damaged."""
        try:
            return IPv4Address((self._directory / _LAST).read_text())
        except (FileNotFoundError, AddressValueError):
            return None

    def owned(self, owner: str) -> list[Path]:
        """The files of one container's interface."""
        return [
            file
            for file in self._directory.glob("[0-9]*")
            if file.read_bytes().decode(errors="replace").strip() == owner
        ]


def add(files: Path, network: str, ipam: NetworkConfig, args: CniArgs) -> Result:
    """Reserve an address and tell the routes. Raises PluginError in the plugin's own words."""
    range_ = _range(ipam)
    store = Store(files, ipam.get("dataDir") or DATA_DIR, network)
    with store.locked():
        address = _reserve(store, range_, args)
    return Result(
        ips=(
            IPConfig(
                address=IPv4Interface((address, range_.subnet.prefixlen)), gateway=range_.gateway
            ),
        ),
        routes=tuple(
            Route(
                dst=IPv4Network(route["dst"]),
                gw=IPv4Address(route["gw"]) if route.get("gw") else None,
            )
            for route in ipam.get("routes") or ()
        ),
    )


def delete(files: Path, network: str, ipam: NetworkConfig, args: CniArgs) -> None:
    """Give addresses back; nothing happens where there are none."""
    store = Store(files, ipam.get("dataDir") or DATA_DIR, network)
    with store.locked():
        for file in store.owned(_owner(args)):
            file.unlink(missing_ok=True)


def _owner(args: CniArgs) -> str:
    return f"{args.container_id}{_LINE_BREAK}{args.ifname}"


def _range(ipam: NetworkConfig) -> Range:
    try:
        subnet = ipam["subnet"] if "subnet" in ipam else ipam["ranges"][0][0]["subnet"]
        network = IPv4Network(subnet, strict=False)
    except (KeyError, IndexError, TypeError) as exc:
        raise PluginError("no IP ranges specified") from exc
    except ValueError as exc:
        raise PluginError(f"invalid range set 0: {exc}") from exc
    if network.prefixlen > 30:
        raise PluginError(f"invalid range set 0: Network {network} too small to allocate from")
    return Range(network)


def _reserve(store: Store, range_: Range, args: CniArgs) -> IPv4Address:
    if args.ips:
        return _reserve_requested(store, range_, args, IPv4Interface(args.ips[0]).ip)
    for file in store.owned(_owner(args)):
        raise PluginError(
            f"failed to allocate for range 0: {file.name} has been allocated to "
            f"{args.container_id}, duplicate allocation is not allowed"
        )
    for address in range_.after(store.last_reserved()):
        if store.reserve(_owner(args), address):
            return address
    raise PluginError(
        f"failed to allocate for range 0: no IP addresses available in range set: {range_}"
    )


def _reserve_requested(
    store: Store, range_: Range, args: CniArgs, address: IPv4Address
) -> IPv4Address:
    if address not in range_.subnet:
        raise PluginError(f"failed to allocate all requested IPs: {address}")
    if address == range_.gateway:
        raise PluginError(
            f"failed to allocate for range 0: requested ip {address} is subnet's gateway"
        )
    if not store.reserve(_owner(args), address):
        raise PluginError(
            f"failed to allocate for range 0: requested IP address {address} is not available "
            f"in range set {range_}"
        )
    return address
