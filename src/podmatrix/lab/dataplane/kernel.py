"""What this kernel can do: found out by making things, not by reading a version."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from podmatrix.errors import LabError, SandboxError
from podmatrix.lab import netns
from podmatrix.lab.dataplane.ipset import IpSet, create_ipsets
from podmatrix.lab.dataplane.netlink import connect
from podmatrix.lab.netns import NetNS
from podmatrix.lab.topology import CalicoSpec, Encapsulation


@dataclass(frozen=True, slots=True, kw_only=True)
class Kernel:
    """What the lab makes use of. `encapsulation` is Calico's, with `auto` decided."""

    encapsulation: Encapsulation
    ipsets: bool


def probe_kernel(calico: CalicoSpec) -> Kernel:
    """`auto` is IPIP where the kernel has it, else none.

    Raises SandboxError where the topology asks for what is not there.
    """
    return Kernel(encapsulation=_encapsulation(calico), ipsets=_has_ipsets())


def _encapsulation(calico: CalicoSpec) -> Encapsulation:
    if calico.encapsulation in ("none", "vxlan"):
        return calico.encapsulation
    if _has_ipip():
        return "ipip"
    if calico.encapsulation == "auto":
        return "none"
    raise SandboxError(
        "calico.encapsulation: ipip: this kernel has no IPIP tunnels: run `modprobe ipip`, or "
        "choose auto, vxlan or none"
    )


def _has_ipsets() -> bool:
    """Whether iptables rules can match sets (ip_set and xt_set, allowed in this namespace)."""
    rule = "*filter\n-A INPUT -m set --match-set podmatrix src -j RETURN\nCOMMIT\n"
    with _scratch() as scratch:
        try:
            create_ipsets(scratch, [IpSet(name="podmatrix", type="hash:net")])
            scratch.run(["iptables-restore", "--noflush"], stdin=rule)
        except LabError:
            return False
    return True


def _has_ipip() -> bool:
    """A kernel with the module loaded, or able to load it, shows tunl0 in every namespace."""
    with _scratch() as scratch, connect(scratch) as netlink:
        try:
            netlink.add_link(
                "ipip", "ipip", ipip_local="192.0.2.1", ipip_remote="192.0.2.2", ipip_ttl=64
            )
        except LabError:
            return False
    return True


@contextmanager
def _scratch() -> Iterator[NetNS]:
    scratch = netns.create(f"scratch-{os.urandom(4).hex()}")
    try:
        yield scratch
    finally:
        scratch.delete()
