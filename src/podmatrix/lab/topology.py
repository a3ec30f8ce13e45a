"""The static shape of a lab: nodes, underlay, pools. A declaration without I/O but for reading it.

`load_topology()` is the owner's cluster; a file (`apiVersion: podmatrix.io/v1alpha1`, `kind:
Topology`) overrides what it names. Every error is a TopologyError with file, path in it and cure.
"""

import difflib
import re
from collections.abc import Iterator
from ipaddress import IPv4Address, IPv4Network
from itertools import combinations
from pathlib import Path
from typing import Annotated, Any, Literal

import yaml
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError, model_validator
from pydantic_core import ErrorDetails

from podmatrix.errors import TopologyError
from podmatrix.lab import second_underlay as second_nics
from podmatrix.lab.second_underlay import Ifname, SecondUnderlaySpec

API_VERSION = "podmatrix.io/v1alpha1"
Encapsulation = Literal["ipip", "vxlan", "none"]

MTU_OVERHEAD: dict[Encapsulation, int] = {"ipip": 20, "none": 20, "vxlan": 50}
"""Bytes off the underlay's MTU. `none` keeps IPIP's: the owner's pods have 1480 either way."""

FLANNEL_OVERHEAD = 50
"""Outer Ethernet, IPv4, UDP and VXLAN headers (flannel, pkg/backend/vxlan/device.go)."""

MIN_MTU = 576
"""The datagram every IPv4 host must accept (RFC 791)."""

MAX_MTU = 65535
NODE_SUBNET_PREFIX = 24
"""kube-controller-manager's --node-cidr-mask-size, and flannel's SubnetLen."""

Mtu = Annotated[int, Field(ge=MIN_MTU, le=MAX_MTU)]
DnsLabel = Annotated[str, Field(pattern=r"^[a-z0-9]([-a-z0-9]*[a-z0-9])?$", max_length=63)]


class _Declaration(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Metadata(_Declaration):
    """What the topology is called."""

    name: DnsLabel = "owner"


class NodeSpec(_Declaration):
    """A node and the address of its NIC on the underlay.

    `second_address` None: on the second underlay, if any, the same host part.
    """

    name: DnsLabel
    address: IPv4Address
    second_address: IPv4Address | None = None


class UnderlaySpec(_Declaration):
    """The network the nodes' NICs are plugged into."""

    cidr: IPv4Network = IPv4Network("192.168.31.0/24")
    gateway: IPv4Address = IPv4Address("192.168.31.1")
    mtu: Mtu = 1500


class CalicoSpec(_Declaration):
    """Calico's IPPool. `mtu` None: the underlay's less the encapsulation's overhead.

    `cross_subnet`: tunnels are for other subnets only, so that between the lab's nodes, which share
    one, packets go without (Calico's `CrossSubnet` instead of `Always`). `nic`: whose address is
    the node's to Calico; None: the first.
    """

    pool: IPv4Network = IPv4Network("10.200.0.0/16")
    block_size: Annotated[int, Field(ge=20, le=32)] = 26
    encapsulation: Literal["auto", "ipip", "vxlan", "none"] = "auto"
    cross_subnet: bool = False
    nat_outgoing: bool = True
    mtu: Mtu | None = None
    nic: Ifname | None = None


class FlannelSpec(_Declaration):
    """Flannel's net-conf.json (vxlan backend) and its flags --ip-masq and --iface.

    `iface` None: the first NIC.
    """

    network: IPv4Network = IPv4Network("10.244.0.0/16")
    vni: Annotated[int, Field(ge=1, le=16777215)] = 1
    port: Annotated[int, Field(ge=1, le=65535)] = 8472
    ip_masq: bool = True
    iface: Ifname | None = None


class MultusSpec(_Declaration):
    """`namespace_isolation`: pods may only name NADs of their own namespace and of `default`."""

    namespace_isolation: bool = False


class Topology(_Declaration):
    """The whole declaration; the defaults are the owner's two nodes."""

    metadata: Metadata = Metadata()
    nodes: Annotated[tuple[NodeSpec, ...], Field(min_length=1)] = (
        NodeSpec(name="k8s-master", address=IPv4Address("192.168.31.128")),
        NodeSpec(name="k8s-node", address=IPv4Address("192.168.31.129")),
    )
    nic: Ifname = "ens33"
    underlay: UnderlaySpec = UnderlaySpec()
    second_underlay: SecondUnderlaySpec | None = None
    calico: CalicoSpec = CalicoSpec()
    flannel: FlannelSpec = FlannelSpec()
    multus: MultusSpec = MultusSpec()
    service_cidr: IPv4Network = IPv4Network("10.96.0.0/12")
    bridge_plugin: Annotated[
        Literal["0.9", "1.x"], BeforeValidator(lambda value: str(value))  # YAML reads 0.9 as float
    ] = "0.9"
    kubernetes_version: Annotated[str, Field(pattern=r"^v1\.\d+\.\d+$")] = "v1.34.4"

    @model_validator(mode="after")
    def _consistent(self) -> "Topology":
        problems = [*self._node_problems(), *self._network_problems()]
        problems += second_nics.problems(self)
        if problems:
            raise ValueError("\n".join(problems))
        return self

    def _node_problems(self) -> Iterator[str]:
        names: set[str] = set()
        addresses = {self.underlay.gateway: "underlay.gateway"}
        if self.underlay.gateway not in self.underlay.cidr:
            yield (
                f"underlay.gateway: {self.underlay.gateway} is outside underlay.cidr "
                f"{self.underlay.cidr}: choose an address in it"
            )
        for index, node in enumerate(self.nodes):
            path = f"nodes[{index}]"
            if node.name in names:
                yield f"{path}.name: {node.name} is used twice: give every node its own name"
            if node.address in addresses:
                yield (
                    f"{path}.address: {node.address} is also {addresses[node.address]}: "
                    f"give every node its own address"
                )
            cidr = self.underlay.cidr
            if node.address not in cidr or node.address in (cidr[0], cidr[-1]):
                yield (
                    f"{path}.address: {node.address} is not a host address of underlay.cidr "
                    f"{cidr}: choose one between {cidr[0] + 1} and {cidr[-1] - 1}"
                )
            names.add(node.name)
            addresses[node.address] = f"{path}.address"

    def _network_problems(self) -> Iterator[str]:
        networks = {
            "underlay.cidr": self.underlay.cidr,
            "calico.pool": self.calico.pool,
            "flannel.network": self.flannel.network,
            "service_cidr": self.service_cidr,
        }
        for (path, network), (other, taken) in combinations(networks.items(), 2):
            if network.overlaps(taken):
                yield (
                    f"{other}: {taken} overlaps {path} {network}: give each network addresses of "
                    f"its own"
                )
        if self.calico.block_size < self.calico.pool.prefixlen:
            yield (
                f"calico.block_size: /{self.calico.block_size} is larger than calico.pool "
                f"{self.calico.pool}: give a longer prefix"
            )
        elif 2 ** (self.calico.block_size - self.calico.pool.prefixlen) < len(self.nodes):
            yield f"calico.pool: {self.calico.pool} has no /{self.calico.block_size} for every node"
        if 2 ** (NODE_SUBNET_PREFIX - self.flannel.network.prefixlen) < len(self.nodes):
            yield f"flannel.network: {self.flannel.network} has no /24 for each of the nodes"
        if self.flannel_mtu < MIN_MTU:
            yield (
                f"underlay.mtu: {self.underlay.mtu} leaves Flannel {self.flannel_mtu} bytes: "
                f"at least {MIN_MTU + FLANNEL_OVERHEAD} is needed"
            )

    @property
    def flannel_mtu(self) -> int:
        """MTU of flannel.1, cni0 and Flannel's pods in bytes."""
        return second_nics.mtu_of(self, self.flannel_nic) - FLANNEL_OVERHEAD

    def calico_mtu(self, encapsulation: Encapsulation) -> int:
        """MTU of Calico's pods and tunnel in bytes."""
        return self.calico.mtu or second_nics.smallest_mtu(self) - MTU_OVERHEAD[encapsulation]

    @property
    def flannel_nic(self) -> str:
        """The NIC that flannel.1 sends by."""
        return self.flannel.iface or self.nic

    @property
    def calico_nic(self) -> str:
        """The NIC whose address is the node's to Calico."""
        return self.calico.nic or self.nic

    def pod_cidr(self, node_name: str) -> IPv4Network:
        """The node's spec.podCIDR, which is also its Flannel subnet: the n-th /24."""
        index = [node.name for node in self.nodes].index(node_name)
        base = int(self.flannel.network.network_address)
        size = 2 ** (32 - NODE_SUBNET_PREFIX)
        return IPv4Network((base + index * size, NODE_SUBNET_PREFIX))

    def with_nodes(self, count: int) -> "Topology":
        """The same with `count` nodes: the first ones, or more that continue names and addresses.

        Raises TopologyError where the underlay or a pool has no room for so many.
        """
        if count < 1:
            raise TopologyError(f"{count} nodes: a lab needs at least one")
        nodes = list(self.nodes[:count])
        while len(nodes) < count:
            nodes.append(_next_node(nodes))
        changes = {**self.model_dump(), "nodes": [node.model_dump() for node in nodes]}
        return _validated(changes, f"topology {self.metadata.name} with {count} nodes")


def _next_node(nodes: list[NodeSpec]) -> NodeSpec:
    """After `k8s-node` comes `k8s-node2`, after `worker7` comes `worker8`."""
    match = re.fullmatch(r"(.*?)(\d*)", nodes[-1].name)
    stem, number = match.groups() if match else (nodes[-1].name, "")
    following = int(number or 1) + 1
    while f"{stem}{following}" in {node.name for node in nodes}:
        following += 1
    second = [node.second_address for node in nodes if node.second_address is not None]
    return NodeSpec(
        name=f"{stem}{following}",
        address=max(node.address for node in nodes) + 1,
        second_address=max(second) + 1 if second else None,
    )


def load_topology(path: Path | None) -> Topology:
    """Read a topology file; None is the owner's cluster. Raises TopologyError."""
    if path is None:
        return Topology()
    try:
        document = yaml.safe_load(path.read_text(encoding="utf-8"))
    except OSError as exc:
        raise TopologyError(f"{path}: cannot be read: {exc.strerror}: name a file") from exc
    except (yaml.YAMLError, UnicodeDecodeError) as exc:
        raise TopologyError(f"{path}: is not YAML: {exc}") from exc
    if not isinstance(document, dict):
        raise TopologyError(f"{path}: holds no mapping: start with `kind: Topology`")
    for key, value in (("apiVersion", API_VERSION), ("kind", "Topology")):
        if document.pop(key, None) != value:
            raise TopologyError(f"{path}: {key}: must be {value}")
    return _validated(document, str(path))


def _validated(document: dict[str, Any], where: str) -> Topology:
    try:
        return Topology.model_validate(document)
    except ValidationError as exc:
        lines = [line for error in exc.errors() for line in _explain(error)]
        raise TopologyError("\n".join(f"{where}: {line}" for line in lines)) from exc


def _explain(error: ErrorDetails) -> list[str]:
    """Path, what is wrong and the cure of one of pydantic's errors."""
    path = "".join(
        f"[{part}]" if isinstance(part, int) else f".{part}" for part in error["loc"]
    ).lstrip(".")
    if error["type"] == "extra_forbidden":
        return [f"{path}: unknown key{_suggestion(error['loc'])}"]
    message = error["msg"].removeprefix("Value error, ")
    if not path:
        return list(message.splitlines())
    cure = _CURES.get(error["type"], "")
    return [f"{path}: {message}, got {error['input']!r}{cure}"]


def _suggestion(loc: tuple[int | str, ...]) -> str:
    model: type[BaseModel] = Topology
    for part in loc[:-1]:
        if isinstance(part, str):
            model = _SECTIONS.get(part, model)
    known = list(model.model_fields)
    close = difflib.get_close_matches(str(loc[-1]), known, n=1)
    return f": did you mean {close[0]}?" if close else f": known are {', '.join(known)}"


_CURES = {
    "ip_v4_network": ": write its first address and the prefix length, such as 10.200.0.0/16",
    "ip_v4_address": ": write four numbers, such as 192.168.31.128",
    "missing": ": add the key",
}

_SECTIONS: dict[str, type[BaseModel]] = {
    "metadata": Metadata,
    "nodes": NodeSpec,
    "underlay": UnderlaySpec,
    "second_underlay": SecondUnderlaySpec,
    "calico": CalicoSpec,
    "flannel": FlannelSpec,
    "multus": MultusSpec,
}
