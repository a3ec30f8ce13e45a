"""Multus 4, thin: which networks a pod gets, one delegate after the other, and what is written back."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from podmatrix.lab.dataplane.node_network import NodeNetwork
from podmatrix.lab.netns import NetNS
from podmatrix.lab.runtime import AddedInterface, NadLookup, PodSandboxConfig


@dataclass(frozen=True, slots=True, kw_only=True)
class SandboxRef:
    """A pod sandbox that networks are added to. `sandbox_id` is CNI's container id."""

    config: PodSandboxConfig
    sandbox_id: str
    netns: NetNS


@dataclass(frozen=True, slots=True, kw_only=True)
class CniResult:
    """`ips`: bare addresses of the default network; `annotations`: to be written onto the pod."""

    ips: tuple[str, ...]
    annotations: Mapping[str, str] = field(default_factory=dict)
    added: tuple[AddedInterface, ...] = ()


def add(node: NodeNetwork, sandbox: SandboxRef, nads: NadLookup) -> CniResult:
    """CNI ADD. Raises NetworkPluginError with nothing left behind. Blocks: call it from a thread."""
    raise NotImplementedError


def delete(node: NodeNetwork, sandbox: SandboxRef) -> None:
    """CNI DEL, before the namespace goes. Idempotent; raises LabError where the kernel refuses."""
    raise NotImplementedError
