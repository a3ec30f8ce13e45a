"""What a new process does to its file system before it runs: one function for each verb.

A step is `[verb, *arguments]`, data that crosses a socket to process 1 (`init.py`).
"""

import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

from podmatrix.lab.rootfs import IMAGE, shadow
from podmatrix.lab.syscalls import MS_BIND, MS_NODEV, MS_REC, enter_root, mount, set_read_only

Step = list[Any]
"""One of `[verb, *arguments]`; the verbs are in _VERBS."""

_LINKS_AT_MOST = 40  # as the kernel (MAXSYMLINKS)
_COPIED_AT_MOST = 256 * 1024


def take(step: Step) -> None:
    """Carry one out. Raises OSError where it fails, KeyError and TypeError where it is wrong."""
    verb, *arguments = step
    _VERBS[verb](*arguments)


def inside(root: str, path: str) -> str:
    """Where a path of a container leads, its symbolic links followed within `root`."""
    left, found, links = path.split("/"), root, 0
    while left:
        part = left.pop(0)
        if part in ("", "."):
            continue
        if part == "..":
            found = os.path.dirname(found) if found != root else root
            continue
        at = f"{found}/{part}"
        if not os.path.islink(at):
            found = at
            continue
        links += 1
        if links > _LINKS_AT_MOST:
            raise OSError(f"{path}: too many levels of symbolic links")
        target = os.readlink(at)
        found = root if target.startswith("/") else found
        left = [*target.split("/"), *left]
    return found


def _make_directory(path: str, mode: int = 0o755) -> None:
    os.makedirs(path, exist_ok=True)
    os.chmod(path, mode)


def _write(path: str, text: str) -> None:
    Path(path).parent.mkdir(parents=True, exist_ok=True)
    Path(path).write_text(text)


def _layer(lower: str, target: str, layer: str) -> None:
    """A writable layer, kept in the directory `layer`, over what is read-only."""
    upper, work = f"{layer}/upper", f"{layer}/work"
    for path in (upper, work, target):
        os.makedirs(path)
    os.chmod(upper, os.stat(lower).st_mode & 0o7777)
    data = f"lowerdir={lower},upperdir={upper},workdir={work},userxattr"
    mount("overlay", target, "overlay", MS_NODEV, data)


def _copy_of_etc(lower: str, target: str, root: str) -> None:
    """What serves as a writable /etc where no layer can be had: its files copied, the rest linked.

    `lower` is bound into the root as well, for the links.
    """
    kept = f"{root}{lower}"
    for path in (kept, target):
        os.makedirs(path)
    mount(lower, kept, flags=MS_BIND | MS_REC)
    for entry in os.scandir(lower):
        copy = f"{target}/{entry.name}"
        ordinary = entry.is_file(follow_symlinks=False)
        if ordinary and os.access(entry.path, os.R_OK) and entry.stat().st_size <= _COPIED_AT_MOST:
            shutil.copy(entry.path, copy)
        else:
            os.symlink(f"{lower}/{entry.name}", copy)


def _make_target(source: str, root: str, path: str) -> None:
    """Something to mount `source` on at `path` of a container's root.

    A source that is missing is made, as containerd does. Where the image cannot take a new name
    its directory is shadowed.
    """
    if not os.path.exists(source):
        os.makedirs(source)
    target = Path(inside(root, path))
    if target.exists():
        return
    there = next(parent for parent in target.parents if parent.exists())
    if os.statvfs(there).f_flag & os.ST_RDONLY:
        aside = f"{IMAGE}/below/{there.relative_to(root)}"
        shadow(there, Path(f"{root}{aside}"), aside)
    target.parent.mkdir(parents=True, exist_ok=True)
    if os.path.isdir(source):
        target.mkdir()
    else:
        target.touch()


def _bind(source: str, root: str, path: str, read_only: bool) -> None:
    """Mount something at `path` of a container's root."""
    _make_target(source, root, path)  # below another mount there may be none yet
    target = inside(root, path)
    mount(source, target, flags=MS_BIND | MS_REC)
    if read_only:
        set_read_only(target, recursive=True)


def _read_only(path: str, recursive: bool = False) -> None:
    set_read_only(path, recursive=recursive)


def _protect(path: str) -> None:
    """Make a part of a mount read-only, where the kernel has it."""
    if os.path.exists(path):
        mount(path, path, flags=MS_BIND)
        set_read_only(path)


def _require_executable(name: str, search_path: str) -> None:
    if shutil.which(name, path=search_path) is not None:
        return
    why = "executable file not found in $PATH"
    if "/" in name:
        found = os.path.exists(name)
        why = "permission denied" if found else f"stat {name}: no such file or directory"
    raise FileNotFoundError(f'exec: "{name}": {why}')  # runc's words


_VERBS: dict[str, Callable[..., None]] = {
    "mkdir": _make_directory,
    "write": _write,
    "layer": _layer,
    "copy-etc": _copy_of_etc,
    "target": _make_target,
    "bind": _bind,
    "symlink": os.symlink,
    "mount": mount,
    "read-only": _read_only,
    "protect": _protect,
    "root": enter_root,
    "executable": _require_executable,
}
