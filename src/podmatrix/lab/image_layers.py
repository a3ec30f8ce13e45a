"""Images made ready when a lab starts: the machine's root looked at, busybox's put together.

Where this kernel lets a container have a writable layer (overlayfs) over a directory is found by
trying. It refuses directories with mounts below them that belong to a namespace further out, as a
container's /etc may have, and cannot copy up files of users that the lab does not have.
"""

import os
import re
import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path

from podmatrix.lab.image import (
    BUSYBOX,
    BUSYBOX_ROOT,
    EMPTY,
    HOST_ETC,
    Image,
    Images,
    User,
    passwd_users,
)
from podmatrix.lab.privileges import mapped_ids
from podmatrix.lab.syscalls import MS_NODEV, MS_NOSUID, mount, unmount
from podmatrix.lab.tools import search_path

_TRIAL = "/run/layer-trial"
_PASSWD = "root:x:0:0:root:/root:/bin/sh\nnobody:x:65534:65534:nobody:/home:/bin/false\n"
_GROUP = "root:x:0:\nnobody:x:65534:\n"
_BUSYBOX_EMPTY = ("home", "proc", "root", "sys", "tmp", "var")


def prepare_images() -> Images:
    """Look at this machine's root and put busybox's together; to be called once, in the lab."""
    return Images(host=_host_image(), busybox=_busybox_image(Path(BUSYBOX_ROOT)))


def _host_image() -> Image:
    directories, links = {}, {}
    for entry in os.scandir("/"):
        if entry.is_symlink():
            links[entry.name] = os.readlink(entry.path)
        elif entry.is_dir() and entry.name != "dev":
            directories[entry.name] = "" if entry.name in EMPTY else entry.path
    directories |= {name: "" for name in EMPTY} | {"etc": HOST_ETC}
    links = {name: target for name, target in links.items() if name not in directories}
    owned = directories if mapped_ids() > 1 else {}
    return Image(
        directories=directories,
        links=links,
        layered=layerable(owned),
        users=passwd_users(),
        command=("sleep", "infinity"),
        complete=True,
    )


def _busybox_image(root: Path) -> Image:
    path = shutil.which(BUSYBOX, path=search_path())
    if path is None:
        return Image(directories={}, defect="busybox is not on this machine")
    for name in ("bin", "etc", "usr/bin"):
        (root / name).mkdir(parents=True)
    (root / "etc/passwd").write_text(_PASSWD)
    (root / "etc/group").write_text(_GROUP)
    for needed in _shared_objects(path):
        target = root / needed.lstrip("/")
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(needed, target)
    shutil.copy(path, root / "bin" / BUSYBOX)
    listed = subprocess.run([path, "--list"], capture_output=True, text=True, check=True).stdout
    for applet in set(listed.split()) - {BUSYBOX}:
        (root / "bin" / applet).symlink_to(BUSYBOX)
    (root / "usr/bin/env").symlink_to("/bin/env")
    directories = {one.name: str(one) for one in root.iterdir()}
    return Image(
        directories={**directories, **dict.fromkeys(_BUSYBOX_EMPTY, "")},
        layered=layerable(directories),
        users={0: User(home="/root"), 65534: User(group=65534, home="/home")},
        command=("sh",),
    )


def _shared_objects(program: str) -> list[str]:
    """What a program is linked against, none where it is static."""
    listed = subprocess.run(["ldd", program], capture_output=True, text=True).stdout
    return re.findall(r"(?:=> |^\s*)(/\S+) \(0x", listed, re.MULTILINE)


def layerable(directories: Mapping[str, str]) -> frozenset[str]:
    """Those of the directories (name -> path) over which a writable layer can be mounted."""
    tried = {name: path for name, path in directories.items() if path}
    if not tried:
        return frozenset()
    Path(_TRIAL).mkdir()
    mount("tmpfs", _TRIAL, "tmpfs", MS_NOSUID | MS_NODEV)
    try:
        return frozenset(name for name, path in tried.items() if _can_layer(name, path))
    finally:
        unmount(_TRIAL)
        os.rmdir(_TRIAL)


def _can_layer(name: str, path: str) -> bool:
    upper, work, merged = (Path(_TRIAL, name, part) for part in ("upper", "work", "merged"))
    for one in (upper, work, merged):
        one.mkdir(parents=True)
    try:
        mount("overlay", str(merged), "overlay", MS_NODEV, overlay_data(path, upper, work))
    except OSError:
        return False
    unmount(str(merged))
    return True


def overlay_data(lower: str, upper: Path, work: Path) -> str:
    """The options of an overlay that a user namespace may mount (overlayfs.rst, "userxattr")."""
    return f"lowerdir={lower},upperdir={upper},workdir={work},userxattr"
