"""The Linux system calls that Python 3.11's `os` lacks, by way of the C library.

Imported by the lab's first processes: standard library only, and little of it. Every function
raises OSError with errno, its own name and what it was called for.
"""

import ctypes
import errno
import os
import platform

CLONE_NEWNS = 0x00020000
CLONE_NEWUTS = 0x04000000
CLONE_NEWIPC = 0x08000000
CLONE_NEWUSER = 0x10000000
CLONE_NEWPID = 0x20000000
CLONE_NEWNET = 0x40000000

MS_RDONLY = 0x1
MS_NOSUID = 0x2
MS_NODEV = 0x4
MS_NOEXEC = 0x8
MS_REMOUNT = 0x20
MS_BIND = 0x1000
MS_REC = 0x4000
MS_PRIVATE = 1 << 18

MNT_DETACH = 2
PR_SET_PDEATHSIG = 1
PR_CAPBSET_DROP = 24
PR_SET_NO_NEW_PRIVS = 38

_MOUNT_ATTR_RDONLY = 0x1
_AT_FDCWD = -100
_AT_RECURSIVE = 0x8000

# Both calls are younger than some C libraries. Numbers from 424 on are the same on every
# architecture; pivot_root's is not (include/uapi/asm-generic/unistd.h, arch/x86/entry/syscalls).
_SYS_MOUNT_SETATTR = 442
_SYS_PIVOT_ROOT = {"x86_64": 155, "s390x": 217, "ppc64le": 203}.get(platform.machine(), 41)

_libc = ctypes.CDLL(None, use_errno=True)


class _MountAttr(ctypes.Structure):
    _fields_ = (
        ("attr_set", ctypes.c_uint64),
        ("attr_clr", ctypes.c_uint64),
        ("propagation", ctypes.c_uint64),
        ("userns_fd", ctypes.c_uint64),
    )


def _check(result: int, what: str) -> None:
    if result == -1:
        errno = ctypes.get_errno()
        raise OSError(errno, f"{what}: {os.strerror(errno)}")


def unshare(flags: int) -> None:
    """Move the calling process into new namespaces (CLONE_NEWPID: its children)."""
    _check(_libc.unshare(flags), f"unshare({flags:#x})")


def setns(path: str, kind: int) -> None:
    """Join the namespace at `path`; `kind` is its CLONE_NEW* flag."""
    fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        _check(_libc.setns(fd, kind), f"setns({path})")
    finally:
        os.close(fd)


def mount(source: str, target: str, fstype: str = "", flags: int = 0, data: str = "") -> None:
    """mount(2)."""
    _check(
        _libc.mount(
            os.fsencode(source),
            os.fsencode(target),
            os.fsencode(fstype) or None,
            ctypes.c_ulong(flags),
            os.fsencode(data) or None,
        ),
        f"mount({fstype or source} on {target})",
    )


def unmount(target: str) -> None:
    """umount2(2), lazily."""
    _check(_libc.umount2(os.fsencode(target), MNT_DETACH), f"umount2({target})")


def set_read_only(path: str, *, read_only: bool = True, recursive: bool = False) -> None:
    """Make the mount at `path` read-only or writable, with everything below it if `recursive`.

    mount_setattr(2), from Linux 5.12 on.
    """
    attributes = _MountAttr()
    if read_only:
        attributes.attr_set = _MOUNT_ATTR_RDONLY
    else:
        attributes.attr_clr = _MOUNT_ATTR_RDONLY
    _check(
        _libc.syscall(
            ctypes.c_long(_SYS_MOUNT_SETATTR),
            ctypes.c_int(_AT_FDCWD),
            os.fsencode(path),
            ctypes.c_uint(_AT_RECURSIVE if recursive else 0),
            ctypes.byref(attributes),
            ctypes.c_size_t(ctypes.sizeof(attributes)),
        ),
        f"mount_setattr({path})",
    )


def enter_root(path: str) -> None:
    """Make the mount at `path` the root and drop the old one (pivot_root(2), last example)."""
    os.chdir(path)
    _check(
        _libc.syscall(ctypes.c_long(_SYS_PIVOT_ROOT), b".", b"."),
        f"pivot_root({path})",
    )
    unmount(".")
    os.chdir("/")


def sethostname(name: str) -> None:
    """Set the host name of the calling process' UTS namespace."""
    encoded = name.encode()
    _check(_libc.sethostname(encoded, ctypes.c_size_t(len(encoded))), f"sethostname({name})")


def die_with_parent(signal: int) -> None:
    """Send `signal` to the calling process when the thread that forked it ends."""
    _check(
        _libc.prctl(PR_SET_PDEATHSIG, ctypes.c_ulong(signal), 0, 0, 0),
        "prctl(PR_SET_PDEATHSIG)",
    )


def drop_bounding_capability(number: int) -> None:
    """Take a capability from the bounding set; one that this kernel does not know is none."""
    try:
        _check(_libc.prctl(PR_CAPBSET_DROP, ctypes.c_ulong(number), 0, 0, 0), "prctl(CAPBSET_DROP)")
    except OSError as exc:
        if exc.errno != errno.EINVAL:
            raise


def set_no_new_privileges() -> None:
    """execve(2) gives the calling process nothing more from now on."""
    _check(_libc.prctl(PR_SET_NO_NEW_PRIVS, ctypes.c_ulong(1), 0, 0, 0), "prctl(NO_NEW_PRIVS)")
