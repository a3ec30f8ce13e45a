"""What an owner declares: networks, pod kinds and rules, as the profile file writes them.

Each class checks what it can see of itself; what needs the whole file is checked in profile.py.
"""

import re
from collections.abc import Mapping
from ipaddress import IPv4Network, IPv6Network, ip_network
from typing import Annotated, Literal

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    model_validator,
)

from podmatrix.model import Attachment, Cell, Expect, Mode, Relation

DEFAULT_NETWORK = "default"
"""The `attach` of the cluster's own network; every other value is `namespace/name` of a NAD."""

# linux/if.h: IFNAMSIZ is 16 with the terminating NUL.
IFNAME_MAX = 15
# RFC 791, section 3.1: every IPv4 host takes datagrams of this size.
MTU_MIN = 576

_LABEL = r"[a-z0-9](?:[-a-z0-9]*[a-z0-9])?"
_NAD = re.compile(rf"{_LABEL}/{_LABEL}(?:\.{_LABEL})*")
_IFNAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")


def _label(value: str) -> str:
    # Part of pod names, which end at 63 characters.
    if not re.fullmatch(_LABEL, value) or len(value) > 40:
        raise ValueError(
            f"{value!r} is no name; use lower case letters, digits and '-', 40 characters at most"
        )
    return value


def _ifname(value: str) -> str:
    if len(value) > IFNAME_MAX:
        raise ValueError(
            f"interface name {value!r} has {len(value)} characters; "
            f"shorten it to the {IFNAME_MAX} that the kernel takes"
        )
    if not _IFNAME.fullmatch(value):
        raise ValueError(
            f"{value!r} is no interface name; use letters, digits, '.', '_' and '-', "
            "a letter or digit first"
        )
    return value


def _cidr(value: object) -> IPv4Network | IPv6Network:
    if isinstance(value, IPv4Network | IPv6Network):
        return value
    if not isinstance(value, str) or "/" not in value:
        raise ValueError(f"{value!r} is no CIDR; write address and prefix length: 10.200.0.0/16")
    try:
        return ip_network(value)
    except ValueError as exc:
        raise ValueError(f"bad CIDR, {exc}; write it like 10.200.0.0/16") from exc


def _attach(value: str) -> str:
    if value != DEFAULT_NETWORK and not _NAD.fullmatch(value):
        raise ValueError(
            f"{value!r} names no network; write 'default' for the cluster's own network, "
            "or a NetworkAttachmentDefinition as namespace/name"
        )
    return value


def _nic(value: str) -> str:
    if value.startswith("/") and value.endswith("/") and len(value) > 2:
        try:
            re.compile(value[1:-1])
        except re.error as exc:
            raise ValueError(f"{value!r} is no pattern, {exc}; give a name or /a pattern/") from exc
        return value
    return _ifname(value)


Name = Annotated[str, AfterValidator(_label)]
IfName = Annotated[str, AfterValidator(_ifname)]
Cidr = Annotated[IPv4Network | IPv6Network, BeforeValidator(_cidr)]
AttachTo = Annotated[str, AfterValidator(_attach)]


class Declared(BaseModel):
    """Frozen, and an unknown key is an error: a misspelt key must never be ignored."""

    model_config = ConfigDict(
        frozen=True, extra="forbid", validate_by_name=True, validate_by_alias=True
    )


class Attach(Declared):
    """How a pod gets onto a network: as its first interface, and as one added by Multus."""

    default: AttachTo
    secondary: AttachTo


class Vtep(Declared):
    """The VXLAN end on each node; `nic` is the name of the NIC it is bound to, or /a pattern/."""

    device: IfName
    vni: int = Field(ge=0, lt=2**24, strict=True)
    port: int = Field(gt=0, lt=2**16, strict=True)
    nic: Annotated[str, AfterValidator(_nic)]


class Network(Declared):
    """One pod network. What is left out is read from the cluster and checked for consistency."""

    attach: Attach
    cni: str | None = None
    cidr: tuple[Cidr, ...] = ()
    mtu: int | None = Field(default=None, ge=MTU_MIN, le=65535, strict=True)
    vtep: Vtep | None = None

    @model_validator(mode="before")
    @classmethod
    def _short_attach(cls, data: object) -> object:
        if isinstance(data, dict) and isinstance(data.get("attach"), str):
            to = data["attach"]
            return {**data, "attach": {"default": to, "secondary": to}}
        return data

    @property
    def needs_multus(self) -> bool:
        """Whether a NetworkAttachmentDefinition leads to it."""
        return {self.attach.default, self.attach.secondary} != {DEFAULT_NETWORK}

    @property
    def families(self) -> tuple[int, ...]:
        """Address families in order of declaration; 4 where no CIDR is declared."""
        return tuple(dict.fromkeys(cidr.version for cidr in self.cidr)) or (4,)


class PodKind(Declared):
    """Pods of one shape: interface names and their networks in order, or the node's own network."""

    interfaces: dict[IfName, str] = Field(default_factory=dict)
    host_network: bool = False

    @model_validator(mode="before")
    @classmethod
    def _from_yaml(cls, data: object) -> object:
        if not isinstance(data, Mapping) or "interfaces" in data or "host_network" in data:
            return data
        if "hostNetwork" in data:
            if dict(data) != {"hostNetwork": True}:
                raise ValueError(
                    "a hostNetwork pod has no interfaces of its own; "
                    "write {hostNetwork: true} alone, or interfaces alone"
                )
            return {"host_network": True}
        if not data:
            raise ValueError("no interface; write {eth0: NETWORK} or {hostNetwork: true}")
        return {"interfaces": dict(data)}


class Selector(Declared):
    """Which sources or destinations a rule speaks of; what is left out matches everything.

    `relation` and `mode` are properties of the cell and may stand on either side.
    """

    network: str | None = None
    kind: str | None = None
    interface: str | None = None
    relation: Relation | None = None
    mode: Mode | None = None

    def matches(self, end: Attachment, cell: Cell) -> bool:
        """Whether `end`, the source or the destination of `cell`, is meant."""
        wanted_and_found = (
            (self.network, end.network),
            (self.kind, end.kind),
            (self.interface, end.interface),
            (self.relation, cell.relation),
            (self.mode, cell.mode),
        )
        return all(wanted in (None, found) for wanted, found in wanted_and_found)


class Rule(Declared):
    """What is expected of the cells from `from_` to `to`."""

    from_: Selector = Field(validation_alias="from")
    to: Selector
    expect: Expect
    reason: str = ""

    def matches(self, cell: Cell) -> bool:
        """Whether this rule speaks of `cell`."""
        return self.from_.matches(cell.source, cell) and self.to.matches(cell.destination, cell)


class WrittenRule(Declared):
    """A rule as the file has it: a side may be a plain name, or left out."""

    from_: str | Selector = Field(validation_alias="from", default_factory=Selector)
    to: str | Selector = Field(default_factory=Selector)
    expect: Expect
    reason: str = ""


class WrittenReachability(Declared):
    """What holds where no rule matches, and the rules, first match first."""

    default: Expect
    rules: tuple[WrittenRule, ...] = ()


class Metadata(Declared):
    """Of a Kubernetes-style document."""

    name: Name


class WrittenProfile(Declared):
    """The document as the file has it, before its names are resolved."""

    api_version: Literal["podmatrix.io/v1alpha1"] = Field(validation_alias="apiVersion")
    kind: Literal["Profile"]
    metadata: Metadata
    networks: dict[Name, Network]
    pods: dict[Name, PodKind] = Field(default_factory=dict)
    reachability: WrittenReachability
