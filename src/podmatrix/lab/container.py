"""One node's container runtime: pod sandboxes and containers made of namespaces and processes.

A pod sandbox is a network namespace that CNI plugged in; a container is a process in it with
mount, PID, UTS and IPC namespaces of its own. The command is process 1 of its PID namespace, so its
end ends everything in the container. What it finds there is made by `container_root.py`.
"""

import asyncio
import json
import logging
import signal
import sys
import uuid
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar

from podmatrix.errors import LabError
from podmatrix.lab import enter, volumes
from podmatrix.lab.cni import multus
from podmatrix.lab.cni.multus import CniResult, SandboxRef
from podmatrix.lab.container_root import container_steps
from podmatrix.lab.dataplane.node_network import NodeNetwork
from podmatrix.lab.image import Image, Images
from podmatrix.lab.init import SpawnSpec
from podmatrix.lab.netns import DIRECTORY, NetNS, create
from podmatrix.lab.node import Node
from podmatrix.lab.privileges import (
    Privileges,
    mapped_ids,
    privileges_of,
    setpriv_argv,
)
from podmatrix.lab.runtime import (
    ContainerConfig,
    NadLookup,
    PodSandboxConfig,
    PodSandboxStatus,
    SpawnCommand,
    Volume,
)
from podmatrix.lab.spawn import Process, Spawner

T = TypeVar("T")
logger = logging.getLogger(__name__)

PING_GROUPS = "net.ipv4.ping_group_range"
SEARCH_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
ENTER = Path(enter.__file__)
KILL_TIMEOUT_S = 5.0
"""How long a killed container may take before its addresses are given back all the same."""


class NamespaceContainer:
    """A container: the process its namespaces were made for."""

    def __init__(self, config: ContainerConfig, process: Process) -> None:
        self.container_id = uuid.uuid4().hex * 2
        self.config = config
        self.process = process

    async def wait(self) -> int:
        """The exit status of its command, 128 + signal where one ended it."""
        return await self.process.wait()

    def kill(self, number: int) -> None:
        """Send a signal to its command, unless it is gone."""
        self.process.kill(number)


@dataclass(slots=True, kw_only=True)
class _Sandbox:
    reference: SandboxRef
    ips: tuple[str, ...] = ()
    containers: dict[str, NamespaceContainer] = field(default_factory=dict)

    @property
    def config(self) -> PodSandboxConfig:
        return self.reference.config


class NamespaceRuntime:
    """Carries out what one node's kubelet decides (`runtime.ContainerRuntime`)."""

    def __init__(self, node: Node, network: NodeNetwork, spawner: Spawner, images: Images) -> None:
        self.node_name = node.name
        self._node = node
        self._network = network
        self._spawner = spawner
        self._images = images
        self._mapped_ids = mapped_ids()
        self._sandboxes: dict[str, _Sandbox] = {}

    def set_up_volume(self, uid: str, volume: Volume) -> str:
        """Make a volume of a pod; returns its directory on the node. Raises LabError."""
        return volumes.set_up_volume(self._node.root, uid, volume, mapped=self._mapped_ids)

    def check_host_path(self, path: str, kind: str) -> None:
        """Check, or make, a hostPath of a type. Raises LabError."""
        volumes.check_host_path(self._node.root, path, kind)

    def remove_volumes(self, uid: str) -> None:
        """Remove the volumes of a pod that has ended."""
        volumes.remove_volumes(self._node.root, uid)

    async def run_pod_sandbox(self, config: PodSandboxConfig, nads: NadLookup) -> PodSandboxStatus:
        """Namespaces, then CNI ADD. Raises NetworkPluginError, LabError; leaves nothing then."""
        sandbox = _Sandbox(reference=self._reference(config))
        self._sandboxes[config.uid] = sandbox
        try:
            if config.host_network:
                result = CniResult(ips=(self._node.address,))
            else:
                result = await _in_thread(lambda: self._plug_in(sandbox, nads))
        except BaseException:
            await self.stop_pod_sandbox(config.uid)
            raise
        sandbox.ips = result.ips
        return PodSandboxStatus(
            sandbox_id=sandbox.reference.sandbox_id,
            ips=result.ips,
            annotations=result.annotations,
            added=result.added,
        )

    def _reference(self, config: PodSandboxConfig) -> SandboxRef:
        name = f"cni-{uuid.uuid4()}"  # as containerd calls them
        return SandboxRef(
            config=config,
            sandbox_id=uuid.uuid4().hex * 2,
            netns=self._node.netns if config.host_network else NetNS(name, DIRECTORY / name),
        )

    def _plug_in(self, sandbox: _Sandbox, nads: NadLookup) -> CniResult:
        netns = create(sandbox.reference.netns.name)
        result = multus.add(self._network, sandbox.reference, nads)
        sysctls = pod_sysctls(sandbox.config.sysctls, mapped_ids=self._mapped_ids)
        netns.set_sysctls(sysctls)
        return result

    async def stop_pod_sandbox(self, uid: str) -> None:
        """Kill what is left in it, CNI DEL, namespaces away, addresses given back. Idempotent.

        Raises LabError where CNI DEL failed: then it can be tried again.
        """
        sandbox = self._sandboxes.get(uid)
        if sandbox is None:
            return
        await _end_all(sandbox.containers.values())
        if not sandbox.config.host_network:
            await _in_thread(lambda: self._unplug(sandbox.reference))
        self._sandboxes.pop(uid, None)

    def _unplug(self, reference: SandboxRef) -> None:
        try:
            multus.delete(self._network, reference)
        finally:
            reference.netns.delete()

    async def start_container(self, uid: str, config: ContainerConfig) -> NamespaceContainer:
        """Start a container in a sandbox. Raises LabError with the runtime's words."""
        sandbox = self._sandboxes.get(uid)
        if sandbox is None:
            raise LabError(f"no sandbox of pod {uid} on node {self.node_name}")
        if config.log_path:
            Path(config.log_path).parent.mkdir(parents=True, exist_ok=True)
        process = await self._spawner.spawn(self._spawn_spec(sandbox, config))
        if self._sandboxes.get(uid) is not sandbox:  # stopped meanwhile
            process.kill()
            raise LabError(f"the sandbox of pod {uid} on node {self.node_name} is gone")
        container = NamespaceContainer(config, process)
        sandbox.containers[config.name] = container
        return container

    def _spawn_spec(self, sandbox: _Sandbox, config: ContainerConfig) -> SpawnSpec:
        hostname, image = self._hostname(sandbox.config), self._image(config)
        argv = config.argv or image.command
        env = self._environment(sandbox.config, config)
        steps = container_steps(
            image=image,
            etc=_etc(hostname, sandbox, self._node),
            mounts=config.mounts,
            working_dir=config.working_dir,
            privileged=config.privileged,
            read_only=config.read_only_root,
        )
        return SpawnSpec(
            join={
                "net": str(sandbox.reference.netns.path),
                "mnt": self._node.mount_namespace,
            },
            make=["mnt", "uts", "ipc", "pid"],
            hostname=hostname,
            steps=[*steps, ["executable", argv[0], env["PATH"]]],
            argv=list(argv),
            env=env,
            cwd=config.working_dir,
            log=config.log_path,
            privileges=self._privileges(config).data(),
        )

    def exec_command(self, uid: str, container: str, argv: tuple[str, ...]) -> SpawnCommand:
        """The command that enters a container and runs `argv` there. Raises LabError."""
        sandbox = self._sandboxes.get(uid)
        target = sandbox.containers.get(container) if sandbox else None
        if sandbox is None or target is None or not target.process.running:
            raise LabError(f'container not found ("{container}")')  # kubelet's words
        return SpawnCommand(
            argv=(*self._enter_argv(target), *argv),
            env=self._environment(sandbox.config, target.config),
        )

    def _enter_argv(self, target: NamespaceContainer) -> tuple[str, ...]:
        config, pid = target.config, str(target.process.pid)
        privileges = self._privileges(config)
        if not self._image(config).complete:
            how = {"privileges": privileges.data(), "cwd": config.working_dir}
            return (sys.executable, "-I", "-S", str(ENTER), pid, json.dumps(how))
        return (
            *("nsenter", "-t", pid, "-m", "-u", "-i", "-n", "-p", "--"),
            *setpriv_argv(privileges),
            *_in_directory(config.working_dir),
        )

    def _image(self, config: ContainerConfig) -> Image:
        image = self._images.of(config.image)
        if image.defect:
            raise LabError(f"image {config.image}: {image.defect}")
        return image

    def _privileges(self, config: ContainerConfig) -> Privileges:
        return privileges_of(config, self._image(config), mapped=self._mapped_ids)

    def _hostname(self, config: PodSandboxConfig) -> str:
        return self.node_name if config.host_network else config.hostname or config.name

    def _environment(self, pod: PodSandboxConfig, config: ContainerConfig) -> dict[str, str]:
        return {
            "PATH": SEARCH_PATH,
            "HOSTNAME": self._hostname(pod),
            "HOME": self._image(config).user(config.run_as_user or 0).home,
            **config.env,
        }


def pod_sysctls(sysctls: Mapping[str, str], *, mapped_ids: int) -> dict[str, str]:
    """Those of a pod as this lab can set them. Raises LabError where one is of no namespace.

    In a user namespace `net.ipv4.ping_group_range` takes mapped groups only, and there are no
    others that could be meant.
    """
    wanted = dict(sysctls)
    for key in wanted:
        if not key.startswith("net."):
            raise LabError(f"sysctl {key}: a lab's pods have net.* ones only")
    if groups := wanted.get(PING_GROUPS):
        low, high = (int(group) for group in groups.split())
        wanted[PING_GROUPS] = f"{low} {min(high, mapped_ids - 1)}"
        if low >= mapped_ids:  # nobody, which is what a new namespace starts with
            del wanted[PING_GROUPS]
    return wanted


def _etc(hostname: str, sandbox: _Sandbox, node: Node) -> dict[str, str]:
    """The files that kubelet and runtime put into a container."""
    if sandbox.config.host_network:
        return {name: (node.root / "etc" / name).read_text() for name in ("hostname", "hosts")}
    lines = ["# Kubernetes-managed hosts file.", "127.0.0.1\tlocalhost"]
    lines += [f"{address}\t{hostname}" for address in sandbox.ips]
    return {"hostname": f"{hostname}\n", "hosts": "\n".join((*lines, ""))}


def _in_directory(path: str) -> tuple[str, ...]:
    if path == "/":
        return ()
    return ("sh", "-c", 'cd "$0" && exec "$@"', path)


async def _end_all(containers: Iterable[NamespaceContainer]) -> None:
    waiting = []
    for container in containers:
        container.kill(signal.SIGKILL)
        waiting.append(asyncio.ensure_future(container.wait()))
    if not waiting:
        return
    _, stubborn = await asyncio.wait(waiting, timeout=KILL_TIMEOUT_S)
    for task in stubborn:
        task.cancel()
        logger.warning("a container of the lab is not gone %s s after SIGKILL", KILL_TIMEOUT_S)


async def _in_thread(function: Callable[[], T]) -> T:
    """Like asyncio.to_thread, but who is cancelled still waits for the end of what was begun."""
    task = asyncio.ensure_future(asyncio.to_thread(function))
    try:
        return await asyncio.shield(task)
    except asyncio.CancelledError:
        await asyncio.wait([task])
        raise
