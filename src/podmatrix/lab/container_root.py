"""A container's file system as steps for process 1 (`init.py`): pure data, no I/O.

Over every top-level directory of the image lies a writable layer of the container's own, where the
kernel has that; the others are bound read-only, but for /etc, which is then copied as far as it can
be. What is written lies in memory and goes with the container.
"""

from collections.abc import Mapping, Sequence

from podmatrix.lab.image import Image
from podmatrix.lab.rootfs import DEVICE_LINKS, DEVICES
from podmatrix.lab.runtime import Mount
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

STAGE = "/run/container"
"""Where it is put together: nodes have this directory, each container mounts its own root on it."""

LAYERS = "/run/layers"
"""Where its layers and files are, out of its own sight; a directory of nodes, too."""

_MODES = {"tmp": 0o1777, "root": 0o700}
_VAR = {"cache": 0o755, "lib": 0o755, "log": 0o755, "spool": 0o755, "tmp": 0o1777}
_HARMLESS = MS_NOSUID | MS_NODEV | MS_NOEXEC
_TMPFS = MS_NOSUID | MS_NODEV
_BIND = MS_BIND | MS_REC

# runc's read-only paths. sysrq-trigger and most of /proc/sys are the host's even here, and a lab
# that root started could write to them: privileged containers get /proc/sys/net only.
_READ_ONLY_PROC = ("bus", "fs", "irq", "sysrq-trigger")
_FOLLOW_ROOT = ("hostname", "resolv.conf")
"""Files in /etc that are read-only where the root is; /etc/hosts never is."""


def container_steps(
    *,
    image: Image,
    etc: Mapping[str, str],
    mounts: Sequence[Mount],
    working_dir: str,
    privileged: bool,
    read_only: bool,
) -> list[Step]:
    """Steps that end in the container's root.

    `etc`: name -> text of files of its own in /etc. `mounts` are in the order in which they are
    mounted. `read_only`: the root takes no writing; mounts, /dev and /etc/hosts do.
    """
    return [
        ["mount", "none", "/", "", MS_REC | MS_PRIVATE],
        ["mount", "tmpfs", STAGE, "tmpfs", MS_NODEV, "mode=0755"],
        ["mount", "tmpfs", LAYERS, "tmpfs", MS_NODEV, "mode=0700"],
        *(step for name in sorted(image.directories) for step in _top_level(image, name)),
        *(["symlink", target, f"{STAGE}/{name}"] for name, target in sorted(image.links.items())),
        *_var(image),
        ["target", STAGE, STAGE, working_dir],
        *(["write", f"{LAYERS}/names/{name}", text] for name, text in sorted(etc.items())),
        *(["target", f"{LAYERS}/names/{name}", STAGE, f"/etc/{name}"] for name in sorted(etc)),
        *(["target", one.host_path, STAGE, one.mount_path] for one in mounts),
        ["mkdir", f"{STAGE}/dev"],
        *([["read-only", STAGE, True]] if read_only else []),
        *_dev(),
        *_proc(privileged=privileged),
        ["mount", "sysfs", f"{STAGE}/sys", "sysfs", _HARMLESS | MS_RDONLY],
        *(
            _bound(f"{LAYERS}/names/{name}", f"/etc/{name}", read_only and name in _FOLLOW_ROOT)
            for name in sorted(etc)
        ),
        *(_bound(one.host_path, one.mount_path, one.read_only) for one in mounts),
        ["root", STAGE],
    ]


def _top_level(image: Image, name: str) -> list[Step]:
    source, path = image.directories[name], f"{STAGE}/{name}"
    if not source:
        return [["mkdir", path, _MODES.get(name, 0o755)]]
    if name in image.layered:
        return [["layer", source, path, f"{LAYERS}/{name}"]]
    if name == "etc":
        return [["copy-etc", source, path, STAGE]]
    return [["mkdir", path], ["mount", source, path, "", _BIND], ["read-only", path, True]]


def _var(image: Image) -> list[Step]:
    steps: list[Step] = [["mkdir", f"{STAGE}/var/{name}", mode] for name, mode in _VAR.items()]
    if "run" in image.directories:
        steps += [["symlink", "/run", f"{STAGE}/var/run"], ["mkdir", f"{STAGE}/run/lock", 0o1777]]
    return steps


def _dev() -> list[Step]:
    dev = f"{STAGE}/dev"
    return [
        ["mount", "tmpfs", dev, "tmpfs", MS_NOSUID, "mode=0755"],
        *(_bound(f"/dev/{name}", f"/dev/{name}", read_only=False) for name in DEVICES),
        *(["symlink", target, f"{dev}/{name}"] for name, target in DEVICE_LINKS.items()),
        _bound("/dev/pts", "/dev/pts", read_only=False),
        ["mkdir", f"{dev}/shm"],
        ["mount", "tmpfs", f"{dev}/shm", "tmpfs", _HARMLESS, "mode=1777"],
    ]


def _proc(*, privileged: bool) -> list[Step]:
    proc = f"{STAGE}/proc"
    steps: list[Step] = [["mount", "proc", proc, "proc", _HARMLESS]]
    steps += [["protect", f"{proc}/{name}"] for name in _READ_ONLY_PROC]
    if not privileged:
        return [*steps, ["protect", f"{proc}/sys"]]
    return [
        *steps,
        ["mount", f"{proc}/sys/net", f"{proc}/sys/net", "", MS_BIND],
        ["mount", f"{proc}/sys", f"{proc}/sys", "", _BIND],  # takes sys/net along
        ["read-only", f"{proc}/sys"],
    ]


def _bound(source: str, path: str, read_only: bool) -> Step:
    return ["bind", source, STAGE, path, read_only]
