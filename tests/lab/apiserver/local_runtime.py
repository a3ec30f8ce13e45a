"""A ContainerRuntime of plain local processes: no namespaces, addresses from a counter."""

import asyncio
import itertools
import os
import secrets
import shutil
import signal
import subprocess
from contextlib import suppress
from dataclasses import dataclass, field
from ipaddress import IPv4Address
from pathlib import Path

from podmatrix.errors import LabError
from podmatrix.lab.runtime import (
    AddedInterface,
    ContainerConfig,
    NadLookup,
    NetworkPluginError,
    PodSandboxConfig,
    PodSandboxStatus,
    SpawnCommand,
    Volume,
)

NETWORKS = "k8s.v1.cni.cncf.io/networks"
_ADDRESSES = itertools.count(int(IPv4Address("10.200.0.2")))


class LocalContainer:
    """A process in a process group of its own."""

    def __init__(self, process: subprocess.Popen[bytes]) -> None:
        self.container_id = secrets.token_hex(32)
        self.process = process

    async def wait(self) -> int:
        """Its exit status, 128 + signal where one ended it."""
        code = await asyncio.to_thread(self.process.wait)
        return code if code >= 0 else 128 - code

    def kill(self, signal: int) -> None:
        """Signal the whole group."""
        with suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal)


@dataclass(slots=True, kw_only=True)
class LocalSandbox:
    """What runs of a pod."""

    config: PodSandboxConfig
    containers: dict[str, LocalContainer] = field(default_factory=dict)


class LocalRuntime:
    """Keeps what it was asked for, for tests to look at."""

    def __init__(self, node_name: str) -> None:
        self.node_name = node_name
        self.sandboxes: dict[str, LocalSandbox] = {}

    def set_up_volume(self, uid: str, volume: Volume) -> str:
        """Nothing is mounted here."""
        return f"/nowhere/{uid}/{volume.name}"

    def check_host_path(self, path: str, kind: str) -> None:
        """Everything is there."""

    def remove_volumes(self, uid: str) -> None:
        """Nothing was made."""

    async def run_pod_sandbox(self, config: PodSandboxConfig, nads: NadLookup) -> PodSandboxStatus:
        """An address; Multus' error where an annotation names a NAD that does not exist."""
        added = []
        wanted = config.annotations.get(NETWORKS, "")
        for number, name in enumerate(filter(None, wanted.split(",")), 1):
            namespace, _, short = name.rpartition("/")
            namespace = namespace or config.namespace
            if nads(namespace, short) is None:
                nad = f"network-attachment-definition ({short}) in namespace ({namespace})"
                why = f"cannot find a {nad}"
                raise NetworkPluginError(why, reason="NoNetworkFound", event=why)
            added.append(
                AddedInterface(
                    ifname=f"net{number}", cidrs=("10.244.0.9/24",), network=f"{namespace}/{short}"
                )
            )
        ip = str(IPv4Address(next(_ADDRESSES)))
        first = AddedInterface(ifname="eth0", cidrs=(f"{ip}/32",), network="k8s-pod-network")
        self.sandboxes[config.uid] = LocalSandbox(config=config)
        return PodSandboxStatus(
            sandbox_id=secrets.token_hex(32),
            ips=(ip,),
            annotations={"k8s.v1.cni.cncf.io/network-status": "[]"},
            added=(first, *added),
        )

    async def stop_pod_sandbox(self, uid: str) -> None:
        """Kill what is left."""
        sandbox = self.sandboxes.pop(uid, None)
        for container in sandbox.containers.values() if sandbox else ():
            container.kill(signal.SIGKILL)
            await container.wait()

    async def start_container(self, uid: str, config: ContainerConfig) -> LocalContainer:
        """Start the command, or sleep for ever."""
        argv = config.argv or ("sleep", "infinity")
        if shutil.which(argv[0]) is None:
            raise LabError(f'exec: "{argv[0]}": executable file not found in $PATH')
        with Path(config.log_path).open("ab") as log:
            process = subprocess.Popen(
                argv,
                env={**os.environ, **config.env},
                cwd=config.working_dir,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        container = LocalContainer(process)
        self.sandboxes[uid].containers[config.name] = container
        return container

    def exec_command(self, uid: str, container: str, argv: tuple[str, ...]) -> SpawnCommand:
        """The command itself, behind a tool that reports as nsenter does where it is not found."""
        if container not in self.sandboxes[uid].containers:
            raise LabError(f'container not found ("{container}")')
        return SpawnCommand(
            argv=("setpriv", "--no-new-privs", *argv), env={"PATH": os.environ["PATH"]}
        )
