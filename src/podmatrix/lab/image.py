"""What containers are made of: the tools of this machine, or busybox alone.

Any image name stands for this machine's own root; one whose last part is `busybox` for a root that
has nothing but busybox. An image is data here; `layered` names the directories of it that a
container can have a writable layer over (`image_layers.py`).
"""

import pwd
from collections.abc import Mapping
from dataclasses import dataclass, field

from podmatrix.lab.rootfs import IMAGE

BUSYBOX = "busybox"
BUSYBOX_ROOT = f"{IMAGE}/{BUSYBOX}"
HOST_ETC = f"{IMAGE}/etc"
"""The machine's /etc as it is; /etc itself has the lab's own names in it."""

EMPTY = ("home", "media", "mnt", "proc", "root", "run", "srv", "sys", "tmp", "var")
"""Top-level directories that are this machine's own affair: containers have empty ones."""


@dataclass(frozen=True, slots=True, kw_only=True)
class User:
    """A line of /etc/passwd, as far as a runtime looks at it."""

    group: int = 0
    home: str = "/"


@dataclass(frozen=True, slots=True, kw_only=True)
class Image:
    """A root file system.

    `directories`: the top-level ones, each with where it is on the node, "" for an empty one;
    `links`: top-level symbolic links. `command` is what runs where a pod names none. `complete`:
    has the tools that enter a container (nsenter's setpriv). `defect`: why it cannot be used here.
    """

    directories: Mapping[str, str]
    links: Mapping[str, str] = field(default_factory=dict)
    layered: frozenset[str] = frozenset()
    users: Mapping[int, User] = field(default_factory=dict)
    command: tuple[str, ...] = ()
    complete: bool = False
    defect: str = ""

    def user(self, uid: int) -> User:
        """The user of a number; one that is not in /etc/passwd has group 0 and no home."""
        return self.users.get(uid, User())


@dataclass(frozen=True, slots=True, kw_only=True)
class Images:
    """The images of a lab."""

    host: Image
    busybox: Image

    def of(self, name: str) -> Image:
        """The image that a name stands for."""
        return self.busybox if repository(name) == BUSYBOX else self.host


def repository(name: str) -> str:
    """The last part of an image's name, without tag and digest."""
    return name.partition("@")[0].rpartition("/")[2].partition(":")[0]


def passwd_users() -> dict[int, User]:
    """The users of this machine."""
    return {one.pw_uid: User(group=one.pw_gid, home=one.pw_dir) for one in pwd.getpwall()}
