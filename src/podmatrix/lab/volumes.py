"""Volumes on a node's file system, where a kubelet keeps them: /var/lib/kubelet/pods/UID/volumes.

Files are laid out as kubernetes/pkg/volume/util/atomic_writer.go does: in a directory with a date,
`..data` leads to it, and each name leads to `..data/NAME`.
"""

import os
import shutil
import stat
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

from podmatrix.errors import LabError
from podmatrix.lab.runtime import Volume
from podmatrix.lab.steps import inside

PODS = "/var/lib/kubelet/pods"

_CHECKS: dict[str, tuple[Callable[[int], bool], str]] = {
    "Directory": (stat.S_ISDIR, "is not a directory"),
    "File": (stat.S_ISREG, "is not a file"),
    "Socket": (stat.S_ISSOCK, "is not a socket file"),
    "CharDevice": (stat.S_ISCHR, "is not a character device"),
    "BlockDevice": (stat.S_ISBLK, "is not a block device"),
}


def set_up_volume(root: Path, uid: str, volume: Volume, *, mapped: int) -> str:
    """Make a volume below a node's `root`, unless it is there; returns its path on the node.

    Raises LabError where its group is none of the lab's `mapped` ids.
    """
    path = f"{PODS}/{uid}/volumes/kubernetes.io~{volume.plugin}/{volume.name}"
    directory = root / path.lstrip("/")
    if directory.exists():
        return path
    if volume.group is not None and not 0 <= volume.group < mapped:
        raise LabError(f"fsGroup {volume.group} does not exist in this lab: use one below {mapped}")
    directory.mkdir(parents=True)
    directory.chmod(volume.mode)
    if volume.files:
        _write_files(directory, volume)
    if volume.group is not None:
        _give_to_group(directory, volume.group)
    return path


def _write_files(directory: Path, volume: Volume) -> None:
    dated = directory / datetime.now(UTC).strftime("..%Y_%m_%d_%H_%M_%S.%f")
    for name, file in volume.files.items():
        target = dated / name
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(file.content)
        target.chmod(file.mode)
    (directory / "..data").symlink_to(dated.name)
    for top in {name.partition("/")[0] for name in volume.files}:
        (directory / top).symlink_to(f"..data/{top}")


def _give_to_group(directory: Path, group: int) -> None:
    for path in (directory, *directory.rglob("*")):
        os.chown(path, -1, group, follow_symlinks=False)
        if path.is_dir() and not path.is_symlink():
            path.chmod(stat.S_IMODE(path.stat().st_mode) | stat.S_ISGID)


def check_host_path(root: Path, path: str, kind: str) -> None:
    """What the hostPath plugin does for a type (kubernetes/pkg/volume/hostpath/host_path.go)."""
    here = Path(inside(str(root), path))
    if kind == "DirectoryOrCreate" and not here.exists():
        here.mkdir(parents=True)
    elif kind == "FileOrCreate" and not here.exists():
        if not here.parent.is_dir():
            raise LabError(f"open {path}: no such file or directory")
        here.touch(0o644)
    holds, why = _CHECKS.get(kind.removesuffix("OrCreate"), (None, ""))
    if holds is not None and not (here.exists() and holds(here.stat().st_mode)):
        raise LabError(f"hostPath type check failed: {path} {why}")


def remove_volumes(root: Path, uid: str) -> None:
    """Remove the directory of a pod."""
    shutil.rmtree(root / PODS.lstrip("/") / uid, ignore_errors=True)
