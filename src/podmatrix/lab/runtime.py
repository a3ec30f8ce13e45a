"""The seam between the lab's kubelets and what carries pods out, in the CRI's words.

The kubelet (apiserver side) decides what should run; a ContainerRuntime makes it so with
namespaces, CNI and processes. Nothing here does I/O.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

from podmatrix.errors import LabError

NadLookup = Callable[[str, str], Mapping[str, Any] | None]
"""(namespace, name) -> the NetworkAttachmentDefinition object, or None where there is none."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PodSandboxConfig:
    """What RunPodSandbox needs to know of a pod."""

    namespace: str
    name: str
    uid: str
    annotations: Mapping[str, str] = field(default_factory=dict)
    host_network: bool = False
    hostname: str = ""
    sysctls: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class AddedInterface:
    """One line of Multus' `AddedInterface` event: `Add {ifname} [{cidrs}] from {network}`."""

    ifname: str
    cidrs: tuple[str, ...]
    network: str


class NetworkPluginError(LabError):
    """CNI ADD failed. The message is the plugin's own words, as a kubelet event quotes them.

    `reason` and `event` are set where Multus posts a Warning event of its own (`NoNetworkFound`);
    `added` are the interfaces it had told of before one failed.
    """

    def __init__(
        self,
        message: str,
        *,
        reason: str = "",
        event: str = "",
        added: tuple[AddedInterface, ...] = (),
    ) -> None:
        super().__init__(message)
        self.reason = reason
        self.event = event
        self.added = added


@dataclass(frozen=True, slots=True, kw_only=True)
class PodSandboxStatus:
    """A running sandbox. `annotations` are those that the network plugins wrote onto the pod."""

    sandbox_id: str
    ips: tuple[str, ...]
    annotations: Mapping[str, str] = field(default_factory=dict)
    added: tuple[AddedInterface, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class VolumeFile:
    """A file that a kubelet writes into a volume."""

    content: bytes
    mode: int = 0o644


@dataclass(frozen=True, slots=True, kw_only=True)
class Volume:
    """A volume in the pod's own directory on the node, as its plugin makes it.

    `plugin` is `empty-dir`, `configmap`, `downward-api` or `projected`; `mode` and `group` are
    those of the directory, `group` None for root's.
    """

    name: str
    plugin: str
    files: Mapping[str, VolumeFile] = field(default_factory=dict)
    mode: int = 0o777
    group: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Mount:
    """A directory or file of the node in a container."""

    mount_path: str
    host_path: str
    read_only: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class ContainerConfig:
    """What StartContainer needs to know.

    `argv` is command plus args; empty: the image's own. `supplemental_groups` include fsGroup.
    """

    name: str
    image: str
    argv: tuple[str, ...]
    env: Mapping[str, str] = field(default_factory=dict)
    working_dir: str = "/"
    privileged: bool = False
    add_capabilities: tuple[str, ...] = ()
    drop_capabilities: tuple[str, ...] = ()
    run_as_user: int | None = None
    run_as_group: int | None = None
    supplemental_groups: tuple[int, ...] = ()
    no_new_privileges: bool = False
    read_only_root: bool = False
    mounts: tuple[Mount, ...] = ()
    log_path: str = ""


class Container(Protocol):
    """A started container."""

    container_id: str

    async def wait(self) -> int:
        """The exit status of its first process (128 + signal where one ended it)."""
        ...

    def kill(self, signal: int) -> None:
        """Send a signal to its first process; nothing happens where it is gone."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class SpawnCommand:
    """How to start a process inside a container from the lab's own process."""

    argv: tuple[str, ...]
    env: Mapping[str, str]


class ContainerRuntime(Protocol):
    """What one node's kubelet drives."""

    node_name: str

    def set_up_volume(self, uid: str, volume: Volume) -> str:
        """Make a volume of a pod, unless it is there; returns its directory on the node."""
        ...

    def check_host_path(self, path: str, kind: str) -> None:
        """Check, or make, a hostPath of a type. Raises LabError with a kubelet's words."""
        ...

    def remove_volumes(self, uid: str) -> None:
        """Remove the volumes of a pod that has ended."""
        ...

    async def run_pod_sandbox(self, config: PodSandboxConfig, nads: NadLookup) -> PodSandboxStatus:
        """Namespaces, then CNI ADD. Raises NetworkPluginError; leaves nothing behind then."""
        ...

    async def stop_pod_sandbox(self, uid: str) -> None:
        """Kill what is left in it, CNI DEL, namespaces away, addresses given back. Idempotent."""
        ...

    async def start_container(self, uid: str, config: ContainerConfig) -> Container:
        """Start a container in a sandbox. Raises LabError with the runtime's words."""
        ...

    def exec_command(self, uid: str, container: str, argv: tuple[str, ...]) -> SpawnCommand:
        """The command that enters a container and runs `argv` there."""
        ...
