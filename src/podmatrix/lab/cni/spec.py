"""The words of the CNI specification (1.1): what a plugin is asked and what it answers."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from ipaddress import IPv4Address, IPv4Interface, IPv4Network
from typing import Any

from podmatrix.errors import LabError
from podmatrix.lab.netns import NetNS

NetworkConfig = Mapping[str, Any]
"""One plugin's configuration, as JSON has it."""

DEFAULT_ROUTE = IPv4Network("0.0.0.0/0")

PATH = "[/opt/cni/bin /opt/cni/bin]"
"""Where libcni says it looked when Multus asks (its binDir and $CNI_PATH)."""


class PluginError(LabError):
    """A plugin failed; the message is what it would print."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CniArgs:
    """CNI_CONTAINERID, CNI_NETNS, CNI_IFNAME and what stands in CNI_ARGS.

    `netns` is None for a DEL whose namespace is gone. `ips` and `mac` are requests.
    """

    container_id: str
    netns: NetNS | None
    ifname: str
    pod_namespace: str
    pod_name: str
    pod_uid: str
    ips: tuple[str, ...] = ()
    mac: str = ""

    @property
    def sandbox(self) -> NetNS:
        """The namespace of an ADD."""
        if self.netns is None:
            raise PluginError("required env variables [CNI_NETNS] missing")
        return self.netns


@dataclass(frozen=True, slots=True, kw_only=True)
class Interface:
    """`sandbox`: whether it is the pod's."""

    name: str
    mac: str
    sandbox: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class IPConfig:
    """An address of the pod's interface."""

    address: IPv4Interface
    gateway: IPv4Address | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Route:
    """`gw` None: by the address' gateway."""

    dst: IPv4Network
    gw: IPv4Address | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """What ADD came to. `annotations`: what the plugin itself wrote onto the Pod object."""

    interfaces: tuple[Interface, ...] = ()
    ips: tuple[IPConfig, ...] = ()
    routes: tuple[Route, ...] = ()
    annotations: Mapping[str, str] = field(default_factory=dict)
