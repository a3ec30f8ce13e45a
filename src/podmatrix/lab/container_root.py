"""A container's file system as steps for process 1 (`init.py`): pure data, no I/O.

The image is the host's root, read-only: every top-level directory of it is bound into a root of the
container's own. /tmp, /run and /var are empty, /proc and /sys those of its namespaces.
"""

from collections.abc import Mapping, Sequence

from podmatrix.lab.init import Step
from podmatrix.lab.rootfs import IMAGE
from podmatrix.lab.runtime import Mount
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

OWN = ("home", "media", "mnt", "proc", "root", "run", "srv", "sys", "tmp", "var")
"""Top-level directories that do not come from the image."""

_NAMES = f"{IMAGE}/names"
_HARMLESS = MS_NOSUID | MS_NODEV | MS_NOEXEC
_TMPFS = MS_NOSUID | MS_NODEV
_BIND = MS_BIND | MS_REC

# runc's read-only paths. sysrq-trigger and most of /proc/sys are the host's even here, and a lab
# that root started could write to them: privileged containers get /proc/sys/net only.
_READ_ONLY_PROC = ("bus", "fs", "irq", "sysrq-trigger")


def container_steps(
    *,
    image: Mapping[str, str],
    etc: Mapping[str, str],
    mounts: Sequence[Mount],
    privileged: bool,
) -> list[Step]:
    """Steps that end in the container's root.

    `image`: directories in the image's root; where one is a symbolic link, its target, else "".
    `etc`: name -> text of files of its own in /etc.
    """
    return [
        ["mount", "none", "/", "", MS_REC | MS_PRIVATE],
        ["mount", "tmpfs", STAGE, "tmpfs", _TMPFS, "mode=0755"],
        *(["mkdir", f"{STAGE}/{name}"] for name in OWN),
        *(step for name, link in sorted(image.items()) for step in _top_level(name, link)),
        *_private_directories(),
        *_proc(privileged=privileged),
        ["mount", "sysfs", f"{STAGE}/sys", "sysfs", _HARMLESS | MS_RDONLY],
        *(step for name, text in sorted(etc.items()) for step in _own_file(name, text)),
        *(step for mount in mounts for step in _volume(mount)),
        ["read-only", STAGE],
        ["root", STAGE],
    ]


def _top_level(name: str, link: str) -> list[Step]:
    path = f"{STAGE}/{name}"
    if name in OWN:
        return []
    if link:
        return [["symlink", link, path]]
    return [["mkdir", path], ["mount", f"/{name}", path, "", _BIND]]


def _private_directories() -> list[Step]:
    return [
        ["mount", "tmpfs", f"{STAGE}/dev/shm", "tmpfs", _HARMLESS, "mode=1777"],
        ["mount", "tmpfs", f"{STAGE}/tmp", "tmpfs", _TMPFS, "mode=1777"],
        ["mount", "tmpfs", f"{STAGE}/run", "tmpfs", _TMPFS, "mode=0755"],
        ["mount", "tmpfs", f"{STAGE}/var", "tmpfs", _TMPFS, "mode=0755"],
        ["mkdir", f"{STAGE}/run/lock", 0o1777],
        *(["mkdir", f"{STAGE}/var/{name}"] for name in ("cache", "lib", "log")),
        ["mkdir", f"{STAGE}/var/tmp", 0o1777],
        ["symlink", "/run", f"{STAGE}/var/run"],
        ["mkdir", f"{STAGE}{IMAGE}/etc"],
        ["mount", f"{IMAGE}/etc", f"{STAGE}{IMAGE}/etc", "", _BIND],
        ["mount", "tmpfs", f"{STAGE}/etc/cni", "tmpfs", _TMPFS, "mode=0755"],  # the node's is not
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


def _own_file(name: str, text: str) -> list[Step]:
    own = f"{STAGE}{_NAMES}/{name}"
    return [["write", own, text], ["mount", own, f"{STAGE}/etc/{name}", "", MS_BIND]]


def _volume(mount: Mount) -> list[Step]:
    target = f"{STAGE}{mount.mount_path}"
    if mount.host_path is None:
        steps: list[Step] = [
            ["target", STAGE, STAGE, mount.mount_path],
            ["mount", "tmpfs", target, "tmpfs", _TMPFS, "mode=0777"],
        ]
    else:
        steps = [
            ["target", mount.host_path, STAGE, mount.mount_path],
            ["mount", mount.host_path, target, "", _BIND],
        ]
    if mount.read_only:
        steps.append(["read-only", target, True])
    return steps
