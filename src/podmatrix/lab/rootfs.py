"""The file system the lab lives in: the host's, read-only, with private /tmp, /run, /var and /dev.

Built in a mount namespace of its own before anything else of the lab runs. What Python needs to go
on importing stays visible where it is, even below the covered directories. Devices are the few a
container gets: a lab that root started could write to the host's disks through the others.
"""

import os
import stat
import sys
from collections.abc import Iterable
from pathlib import Path

from podmatrix.lab.syscalls import (
    MS_BIND,
    MS_NODEV,
    MS_NOEXEC,
    MS_NOSUID,
    MS_PRIVATE,
    MS_REC,
    enter_root,
    mount,
    set_read_only,
)

COVERED = ("/tmp", "/run", "/var", "/dev")
"""Directories of the host that the lab has of its own."""

DEVICES = ("null", "zero", "full", "random", "urandom", "tty")
DEVICE_LINKS = {
    "fd": "/proc/self/fd",
    "stdin": "/proc/self/fd/0",
    "stdout": "/proc/self/fd/1",
    "stderr": "/proc/self/fd/2",
    "ptmx": "pts/ptmx",
}
IMAGE = "/run/image"
"""Below it lies what a directory of symbolic links points to."""

_DIRECTORIES = ("run/netns", "run/lock", "var/cache", "var/lib", "var/log/pods", "var/tmp")
_STAGE = "/tmp"


def needed_paths() -> set[str]:
    """What must stay readable: Python, its packages and the directories of $PATH."""
    paths = {sys.prefix, sys.base_prefix, *sys.path, *os.get_exec_path()}
    return {path for path in paths if os.path.isabs(path) and os.path.exists(path)}


def covered(paths: Iterable[str]) -> set[str]:
    """Those below COVERED, each as it is written and with its symbolic links resolved."""
    spelled = {spelling for path in paths for spelling in (path, os.path.realpath(path))}
    return {
        path
        for path in spelled
        if path not in COVERED and any(_below(path, top) for top in COVERED)
    }


def _below(path: str, directory: str) -> bool:
    return os.path.commonpath((path, directory)) == directory


def build_root(needed: Iterable[str]) -> None:
    """Replace the root of this mount namespace. Raises OSError where the kernel refuses."""
    # Opened before they are covered: a bind from /proc/self/fd reaches what lies below a mount.
    handles = {path: os.open(path, os.O_PATH) for path in sorted(covered(needed))}
    devices = {name: os.open(f"/dev/{name}", os.O_PATH) for name in DEVICES}
    mount("none", "/", flags=MS_REC | MS_PRIVATE)
    mount("tmpfs", _STAGE, "tmpfs", MS_NOSUID | MS_NODEV)
    root = Path(_STAGE, "root")
    root.mkdir()
    mount("/", str(root), flags=MS_BIND | MS_REC)
    set_read_only(str(root), recursive=True)
    # The kernel allows a fresh proc or sysfs only where one is in sight that is not read-only
    # (fs/namespace.c, mnt_already_visible).
    for name in ("proc", "sys"):
        set_read_only(str(root / name), read_only=False)
    _cover(root)
    _own_etc(root)
    _make_devices(root / "dev", devices)
    for path, handle in handles.items():
        directory = stat.S_ISDIR(os.fstat(handle).st_mode)
        _bind(handle, root / path.lstrip("/"), directory=directory)
    for handle in (*handles.values(), *devices.values()):
        os.close(handle)
    enter_root(str(root))


def _cover(root: Path) -> None:
    for directory in COVERED:
        mount("tmpfs", f"{root}{directory}", "tmpfs", MS_NOSUID | MS_NODEV, "mode=0755")
    for name in _DIRECTORIES:
        (root / name).mkdir(parents=True)
    for name in ("tmp", "var/tmp"):
        (root / name).chmod(0o1777)
    (root / "var/run").symlink_to("/run")
    (root / "var/lock").symlink_to("/run/lock")
    (root / "run/xtables.lock").touch()


def _make_devices(dev: Path, devices: dict[str, int]) -> None:
    for name, handle in devices.items():
        _bind(handle, dev / name, directory=False, read_only=False)
    for name, target in DEVICE_LINKS.items():
        (dev / name).symlink_to(target)
    for name in ("pts", "shm"):
        (dev / name).mkdir()
    mount("devpts", str(dev / "pts"), "devpts", MS_NOSUID | MS_NOEXEC, "ptmxmode=0666,mode=0620")
    mount("tmpfs", str(dev / "shm"), "tmpfs", MS_NOSUID | MS_NODEV, "mode=1777")


def _bind(handle: int, target: Path, *, directory: bool, read_only: bool = True) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    if directory:
        target.mkdir(exist_ok=True)
    else:
        target.touch()
    mount(f"/proc/self/fd/{handle}", str(target), flags=MS_BIND | MS_REC)
    if read_only:
        set_read_only(str(target), recursive=True)


def shadow(directory: Path, aside: Path, link_to: str) -> None:
    """Put a tmpfs full of symbolic links over a directory, so that names can be added to it.

    `aside` is where the directory itself is bound to and `link_to` is that place as the links must
    spell it. An overlay would do the same, but not over directories that have mounts below them.
    """
    names = os.listdir(directory)
    aside.mkdir(parents=True)
    mount(str(directory), str(aside), flags=MS_BIND | MS_REC)
    mount("tmpfs", str(directory), "tmpfs", MS_NOSUID | MS_NODEV, "mode=0755")
    for name in names:
        (directory / name).symlink_to(f"{link_to}/{name}")


def _own_etc(root: Path) -> None:
    """Nodes and containers have names of their own: points to mount them on."""
    etc = root / "etc"
    shadow(etc, root / IMAGE.lstrip("/") / "etc", f"{IMAGE}/etc")
    for name in ("hostname", "hosts"):
        (etc / name).unlink(missing_ok=True)
        (etc / name).touch()
    (etc / "cni").unlink(missing_ok=True)
    (etc / "cni").mkdir()
    set_read_only(str(etc))
