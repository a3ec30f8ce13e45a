"""A node's file system and host name: a mount and a UTS namespace next to its network namespace.

`/etc` is the host's with the node's own names, `/etc/cni`, `/run` and `/var` are its own. A
process that sleeps keeps the namespaces; `Node.root` is the way to the node's files from the
lab's processes.
"""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from podmatrix.errors import LabError, SandboxError
from podmatrix.lab.container_root import LAYERS, STAGE
from podmatrix.lab.image import BUSYBOX
from podmatrix.lab.init import SpawnSpec
from podmatrix.lab.netns import NetNS
from podmatrix.lab.rootfs import IMAGE
from podmatrix.lab.spawn import Spawner
from podmatrix.lab.steps import Step
from podmatrix.lab.syscalls import (
    MS_BIND,
    MS_NODEV,
    MS_NOEXEC,
    MS_NOSUID,
    MS_PRIVATE,
    MS_RDONLY,
    MS_REC,
)

_TMPFS = MS_NOSUID | MS_NODEV
_ASIDE = "/tmp"
"""Free while a node is put together."""

_IMAGE_PARTS = ("etc", BUSYBOX)

_DIRECTORIES = (
    "/etc/cni/net.d",
    "/run/flannel",
    "/run/lock",
    "/run/netns",
    STAGE,
    LAYERS,
    "/var/lib/calico",
    "/var/lib/cni/networks",
    "/var/log/pods",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Node:
    """A node that runs. `holder` is the process that keeps its mount and UTS namespaces."""

    name: str
    address: str
    netns: NetNS
    holder: int

    @property
    def root(self) -> Path:
        """The node's `/`, as a path for the lab's processes."""
        return Path(f"/proc/{self.holder}/root")

    @property
    def mount_namespace(self) -> str:
        """What setns(2) takes."""
        return f"/proc/{self.holder}/ns/mnt"

    def enter_argv(self) -> tuple[str, ...]:
        """Put in front of a command that is to run on the node: its network, files and name."""
        return ("nsenter", f"--net={self.netns.path}", "-t", str(self.holder), "-m", "-u", "--")


async def start_node(spawner: Spawner, name: str, netns: NetNS, hosts: Mapping[str, str]) -> Node:
    """Start a node; `hosts` maps node names to addresses for its /etc/hosts.

    Raises SandboxError where the kernel refuses what it is made of.
    """
    spec = SpawnSpec(
        join={"net": str(netns.path)},
        make=["mnt", "uts", "ipc"],
        hostname=name,
        steps=_steps(name, hosts),
        argv=["sleep", "infinity"],
        env=dict(os.environ),
        cwd="/",
        log="",
        privileges=None,
    )
    try:
        holder = await spawner.spawn(spec)
    except LabError as exc:
        raise SandboxError(f"node {name} cannot be put together: {exc}") from exc
    return Node(name=name, address=hosts[name], netns=netns, holder=holder.pid)


def _bind(source: str, target: str) -> Step:
    return ["mount", source, target, "", MS_BIND | MS_REC]


def _steps(name: str, hosts: Mapping[str, str]) -> list[Step]:
    lines = [f"{address}\t{host}" for host, address in sorted(hosts.items())]
    files = {"hostname": f"{name}\n", "hosts": "\n".join(("127.0.0.1\tlocalhost", *lines, ""))}
    steps: list[Step] = [
        ["mount", "none", "/", "", MS_REC | MS_PRIVATE],
        *(["mkdir", f"{_ASIDE}/{name}"] for name in _IMAGE_PARTS),
        *(_bind(f"{IMAGE}/{name}", f"{_ASIDE}/{name}") for name in _IMAGE_PARTS),
        ["mount", "tmpfs", "/run", "tmpfs", _TMPFS, "mode=0755"],
        *(["mkdir", f"{IMAGE}/{name}"] for name in _IMAGE_PARTS),
        *(_bind(f"{_ASIDE}/{name}", f"{IMAGE}/{name}") for name in _IMAGE_PARTS),
        ["mount", "tmpfs", "/var", "tmpfs", _TMPFS, "mode=0755"],
        ["mount", "tmpfs", "/tmp", "tmpfs", _TMPFS, "mode=1777"],
        ["mount", "tmpfs", "/etc/cni", "tmpfs", _TMPFS, "mode=0755"],
        ["symlink", "/run", "/var/run"],
        *(["mkdir", directory] for directory in _DIRECTORIES),
        ["write", "/run/xtables.lock", ""],
        ["mount", "sysfs", "/sys", "sysfs", _TMPFS | MS_NOEXEC | MS_RDONLY],
    ]
    for file, text in files.items():
        steps.append(["write", f"{IMAGE}/names/{file}", text])
        steps.append(["mount", f"{IMAGE}/names/{file}", f"/etc/{file}", "", MS_BIND])
    return steps
