"""Calico's IPAM: one block of addresses, handed out in the order in which they became free.

Source: libcalico-go/lib/ipam/ipam_block.go (`Unallocated` is a queue) and a real IPAMBlock. Unlike
the real one a node that has used up its block gets no second one: as with `strictAffinity`.
"""

import threading
from collections import deque
from ipaddress import IPv4Address, IPv4Network


class Exhausted(Exception):
    """The block has no address left."""


class Block:
    """The block of one node. Handles name owners: a container, a tunnel device."""

    def __init__(self, cidr: IPv4Network) -> None:
        self.cidr = cidr
        self._free = deque(cidr)
        self._owners: dict[IPv4Address, str] = {}
        self._lock = threading.Lock()

    def assign(self, handle: str) -> IPv4Address:
        """The next address. Raises Exhausted."""
        with self._lock:
            if not self._free:
                raise Exhausted(
                    "failed to request IPv4 addresses: Assigned 0 out of 1 requested IPv4 "
                    "addresses; No more free affine blocks and strict affinity enabled"
                )
            address = self._free.popleft()
            self._owners[address] = handle
            return address

    def claim(self, handle: str, address: IPv4Address) -> bool:
        """That very address, if it is free."""
        with self._lock:
            if address not in self._free:
                return False
            self._free.remove(address)
            self._owners[address] = handle
            return True

    def release(self, handle: str) -> None:
        """Everything the handle owns; nothing happens where it owns nothing."""
        with self._lock:
            for address in [ip for ip, owner in self._owners.items() if owner == handle]:
                del self._owners[address]
                self._free.append(address)

    @property
    def allocations(self) -> dict[IPv4Address, str]:
        """Owners by address."""
        with self._lock:
            return dict(self._owners)
