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

from podmatrix.lab.cni.ipam_static import routes
from podmatrix.lab.cni.spec import CniArgs, IPConfig, NetworkConfig, PluginError, Result

DATA_DIR = "/var/lib/cni/networks"
_LINE_BREAK = "\r\n"
_LAST = "last_reserved_ip.0"


@dataclass(frozen=True, slots=True, kw_only=True)
class Range:
    """A range set of one range; the gateway's address is never handed out."""

    subnet: IPv4Network
    start: IPv4Address
    end: IPv4Address
    gateway: IPv4Address

    def __contains__(self, address: IPv4Address) -> bool:
        return self.start <= address <= self.end

    def __str__(self) -> str:
        return f"{self.start}-{self.end}"

    def after(self, last: IPv4Address | None) -> Iterator[IPv4Address]:
        """Every address once, round robin from the one after `last`."""
        first, count = int(self.start), int(self.end) - int(self.start) + 1
        start = 0 if last is None or last not in self else int(last) - first + 1
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


def add(files: Path, config: NetworkConfig, args: CniArgs) -> Result:
    """Reserve an address and tell the routes. Raises PluginError in the plugin's own words."""
    ipam = config["ipam"]
    range_ = _range(ipam)
    store = Store(files, ipam.get("dataDir") or DATA_DIR, config["name"])
    with store.locked():
        address = _reserve(store, range_, args)
    return Result(
        ips=(
            IPConfig(
                address=IPv4Interface((address, range_.subnet.prefixlen)), gateway=range_.gateway
            ),
        ),
        routes=routes(ipam.get("routes")),
    )


def delete(files: Path, config: NetworkConfig, args: CniArgs) -> None:
    """Give addresses back; nothing happens where there are none."""
    store = Store(files, config["ipam"].get("dataDir") or DATA_DIR, config["name"])
    with store.locked():
        for file in store.owned(_owner(args)):
            file.unlink(missing_ok=True)


def _owner(args: CniArgs) -> str:
    return f"{args.container_id}{_LINE_BREAK}{args.ifname}"


def _range(ipam: NetworkConfig) -> Range:
    try:
        declared = ipam if "subnet" in ipam else ipam["ranges"][0][0]
        subnet = declared["subnet"]
    except (KeyError, IndexError, TypeError) as exc:
        raise PluginError("no IP ranges specified") from exc
    try:
        return _canonical(IPv4Interface(subnet), declared)
    except ValueError as exc:
        raise PluginError(f"invalid range set 0: {exc}") from exc


def _canonical(subnet: IPv4Interface, declared: NetworkConfig) -> Range:
    """What is not declared filled in (allocator/range.go). Raises ValueError."""
    network, length = subnet.network, subnet.network.prefixlen
    if length > 30:
        raise ValueError(f"Network {subnet} too small to allocate from")
    if subnet.ip != network.network_address:
        raise ValueError(
            f"Network has host bits set. For a subnet mask of length {length} the network address "
            f"is {network.network_address}"
        )
    first = network.network_address + 1
    for key in ("rangeStart", "rangeEnd"):
        if declared.get(key) and IPv4Address(declared[key]) not in network:
            raise ValueError(f"{key[0].upper()}{key[1:]} {declared[key]} not in network {network}")
    return Range(
        subnet=network,
        start=IPv4Address(declared.get("rangeStart") or first),
        end=IPv4Address(declared.get("rangeEnd") or network.broadcast_address - 1),
        gateway=IPv4Address(declared.get("gateway") or first),
    )


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
    if address not in range_:
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
