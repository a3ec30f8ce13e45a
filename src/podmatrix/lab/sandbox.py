"""The namespaces that hold a lab: it harms nothing and leaves nothing, even after SIGKILL.

Two user namespaces, one in the other. In the outer one the file system is put together; entering
the inner one locks those mounts (mount_namespaces(7), "Restrictions"), so that not even a
privileged container can make the host's root writable. PID, network, IPC and UTS namespaces belong
to the inner one. When its first process dies the kernel removes all of it.

Standard library only: this runs before anything else is imported.
"""

import errno
import os
import select
import signal
from collections.abc import Callable, Sequence
from pathlib import Path

from podmatrix.errors import SandboxError
from podmatrix.lab.rootfs import build_root, needed_paths
from podmatrix.lab.syscalls import (
    CLONE_NEWIPC,
    CLONE_NEWNET,
    CLONE_NEWNS,
    CLONE_NEWPID,
    CLONE_NEWUSER,
    CLONE_NEWUTS,
    MS_NODEV,
    MS_NOEXEC,
    MS_NOSUID,
    MS_PRIVATE,
    MS_RDONLY,
    MS_REC,
    die_with_parent,
    mount,
    sethostname,
    unshare,
)

MAPPED_IDS = 65536
"""How many user and group ids a lab has that root started; another user's has one."""


def run_in_sandbox(
    main: Callable[[], int], *, owner_fd: int | None, inner_fds: Sequence[int] = ()
) -> int:
    """Run `main` as process 1 of new namespaces; its exit status, 0 where it was stopped.

    `owner_fd` is the pidfd of the process whose end must be the lab's end, None where it may
    outlive everyone; `inner_fds` are closed in this process. SIGTERM ends the lab. Raises
    SandboxError.
    """
    try:
        _enter_user_namespace(CLONE_NEWNS)
        build_root(needed_paths())
        _enter_user_namespace(CLONE_NEWPID)
    except OSError as exc:
        raise SandboxError(explain_denial(exc)) from exc
    alive, keeper_end = os.pipe()
    init = os.fork()
    if init == 0:
        os.close(keeper_end)
        os._exit(_as_init(main, alive))
    for fd in (alive, *inner_fds):
        os.close(fd)
    return _keep(init, owner_fd)


def _as_init(main: Callable[[], int], alive: int) -> int:
    die_with_parent(signal.SIGKILL)
    # The parent may have died before that took effect; getppid() is 0 across PID namespaces.
    gone = select.poll()
    gone.register(alive, 0)
    if gone.poll(0):
        return 0
    os.close(alive)
    return main()


def finish_sandbox() -> None:
    """What process 1 itself must do: the other namespaces, proc and sysfs. Raises SandboxError."""
    try:
        unshare(CLONE_NEWNS | CLONE_NEWNET | CLONE_NEWIPC | CLONE_NEWUTS)
        mount("none", "/", flags=MS_REC | MS_PRIVATE)
        harmless = MS_NOSUID | MS_NODEV | MS_NOEXEC
        mount("proc", "/proc", "proc", harmless)
        mount("sysfs", "/sys", "sysfs", harmless | MS_RDONLY)
        mount("tmpfs", "/run/netns", "tmpfs", MS_NOSUID | MS_NODEV)
        sethostname("podmatrix-lab")
    except OSError as exc:
        raise SandboxError(explain_denial(exc)) from exc


def _keep(init: int, owner_fd: int | None) -> int:
    """Wait for the end of the lab, or bring it about when asked to or when the owner dies.

    Returns its exit status; an end that was brought about is none.
    """
    stopped = False

    def stop(*_: object) -> None:
        nonlocal stopped
        stopped = True
        os.kill(init, signal.SIGKILL)  # its number is not given to others before waitpid

    signal.signal(signal.SIGTERM, stop)
    ended = select.poll()
    own_end = os.pidfd_open(init)
    ended.register(own_end, select.POLLIN)
    if owner_fd is not None:
        ended.register(owner_fd, select.POLLIN)
    if own_end not in dict(ended.poll()):
        stop()
    status = os.waitpid(init, 0)[1]
    return 0 if stopped else os.waitstatus_to_exitcode(status)


def _enter_user_namespace(flags: int) -> None:
    """unshare(2) with ids mapped onto themselves, or, without privileges, one's own to 0."""
    maps = {"uid_map": _id_map("uid", os.geteuid()), "gid_map": _id_map("gid", os.getegid())}
    target = Path(f"/proc/{os.getpid()}")
    done, entered = os.pipe()
    # More ids than one's own can only be mapped from outside of the new namespace.
    helper = os.fork()
    if helper == 0:
        os.close(entered)
        os.read(done, 1)
        os._exit(_write_maps(target, maps))
    os.close(done)
    try:
        unshare(CLONE_NEWUSER | flags)
    finally:
        os.close(entered)
        status = os.waitstatus_to_exitcode(os.waitpid(helper, 0)[1])
    if status:
        raise OSError(status, f"write({target}/uid_map): {os.strerror(status)}")


def _id_map(kind: str, own: int) -> str:
    """A line for each range of ids below MAPPED_IDS that this namespace has itself."""
    if os.geteuid() != 0:
        return f"0 {own} 1\n"
    lines = []
    for line in Path(f"/proc/self/{kind}_map").read_text().splitlines():
        first, _, count = (int(number) for number in line.split())
        if first < MAPPED_IDS:
            lines.append(f"{first} {first} {min(count, MAPPED_IDS - first)}\n")
    return "".join(lines)


def _write_maps(target: Path, maps: dict[str, str]) -> int:
    """Returns an errno, 0 where all went well."""
    try:
        if os.geteuid() != 0:
            # else gid_map is refused (user_namespaces(7))
            (target / "setgroups").write_text("deny")
        for name, lines in maps.items():
            (target / name).write_text(lines)
    except OSError as exc:
        return exc.errno or errno.EIO
    return 0


def explain_denial(exc: OSError, proc: Path = Path("/proc"), root: Path = Path("/")) -> str:
    """Say what stands against a sandbox on this machine and what cures it."""
    if exc.errno not in _DENIALS:
        return f"the lab's sandbox cannot be put together: {exc.args[-1]}"
    refused = f"this machine refuses the lab its namespaces ({exc.args[-1]}): "
    for sysctl, denying, cure in _SYSCTLS if os.geteuid() != 0 else _SYSCTLS[:1]:
        if _read(proc / "sys" / sysctl.replace(".", "/")) == denying:
            return (
                f"{refused}{sysctl} is {denying}: run `sudo sysctl -w {sysctl}={cure}`, or as root"
            )
    if exc.errno in (errno.EINVAL, errno.ENOSYS):
        return (
            f"{refused}needs Linux 5.12 or newer with user namespaces; this is {os.uname().release}"
        )
    if exc.errno == errno.ENOSPC:
        return f"{refused}too many user namespaces: raise user.max_user_namespaces, or stop labs"
    marks = (root / ".dockerenv", root / "run/.containerenv")
    if os.geteuid() == 0 or any(mark.exists() for mark in marks):
        return f"{refused}in a container: start it with --privileged"
    return f"{refused}run as root, or allow unprivileged user namespaces"


_DENIALS = (errno.EPERM, errno.EACCES, errno.EINVAL, errno.ENOSYS, errno.ENOSPC)

_SYSCTLS = (
    ("user.max_user_namespaces", "0", "15000"),
    ("kernel.unprivileged_userns_clone", "0", "1"),  # Debian's kernel
    # Ubuntu from 23.10 on: unshare works, the capabilities of the new namespace do not.
    ("kernel.apparmor_restrict_unprivileged_userns", "1", "0"),
)


def _read(path: Path) -> str:
    try:
        return path.read_text().strip()
    except OSError:
        return ""
