"""Network namespaces under /run/netns, where `ip netns` finds them, and how to act inside of one.

setns(2) concerns the calling thread alone, so everything here may be used from several threads at
once; `entered` must not be held over an `await`. Python 3.11 has no os.setns, hence `syscalls`.
"""

import os
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from pyroute2 import IPRoute

from podmatrix.errors import LabError
from podmatrix.lab.syscalls import CLONE_NEWNET, MS_BIND, mount, setns, unmount, unshare

DIRECTORY = Path("/run/netns")
_OWN = "/proc/thread-self/ns/net"
_DOTS_AND_SLASHES = str.maketrans("./", "/.")
_RUN_TIMEOUT_S = 30.0


@contextmanager
def _coming_back() -> Iterator[None]:
    """Whatever network namespace the thread goes to meanwhile, it returns to the present one."""
    home = os.open(_OWN, os.O_RDONLY | os.O_CLOEXEC)
    try:
        yield
    finally:
        try:
            setns(f"/proc/self/fd/{home}", CLONE_NEWNET)
        finally:
            os.close(home)


@dataclass(frozen=True, slots=True)
class NetNS:
    """A network namespace that a mount at `path` keeps alive."""

    name: str
    path: Path

    @contextmanager
    def entered(self) -> Iterator[None]:
        """Move the calling thread into it, and back afterwards. Raises LabError if it is gone."""
        with _coming_back():
            try:
                setns(str(self.path), CLONE_NEWNET)
            except OSError as exc:
                raise LabError(f"network namespace {self.name}: {exc}") from exc
            yield

    def run(
        self,
        argv: Sequence[str],
        *,
        stdin: str = "",
        timeout_s: float = _RUN_TIMEOUT_S,
    ) -> str:
        """Run a command inside of it and return its stdout.

        Raises LabError with argv and stderr where it cannot start, fails or takes too long.
        """
        where = f"{' '.join(argv)} (in {self.name})"
        try:
            with self.entered():
                completed = subprocess.run(
                    argv, input=stdin, timeout=timeout_s, capture_output=True, text=True
                )
        except OSError as exc:
            raise LabError(f"{where}: {exc.strerror}: install {argv[0]}") from exc
        except subprocess.TimeoutExpired as exc:
            raise LabError(f"{where}: not done within {timeout_s:g} s") from exc
        if completed.returncode:
            reason = completed.stderr.strip() or completed.stdout.strip()
            raise LabError(f"{where}: exit status {completed.returncode}: {reason}")
        return completed.stdout

    @contextmanager
    def ipr(self) -> Iterator[IPRoute]:
        """A netlink socket that speaks to it, also after the thread has left."""
        with self.entered():
            socket = IPRoute()
        with socket:
            yield socket

    def set_sysctls(self, values: Mapping[str, str], *, missing_ok: bool = False) -> None:
        """Write keys of /proc/sys in sysctl(8)'s spelling: `net.ipv4.conf.flannel/1.rp_filter`.

        /proc/sys/net shows the namespace of the thread that looks (fs/proc/proc_sysctl.c). Raises
        LabError where a key is not there or the value is refused.
        """
        with self.entered():
            for key, value in values.items():
                try:
                    _sysctl_path(key).write_text(value)
                except OSError as exc:
                    if missing_ok and isinstance(exc, FileNotFoundError):
                        continue
                    raise LabError(
                        f"sysctl {key}={value} (in {self.name}): {exc.strerror}"
                    ) from exc

    def set_sysctl(self, key: str, value: str) -> None:
        """Write one key; see `set_sysctls`."""
        self.set_sysctls({key: value})

    def get_sysctl(self, key: str) -> str | None:
        """Read one key; None where this kernel does not have it."""
        with self.entered():
            try:
                return _sysctl_path(key).read_text().strip()
            except FileNotFoundError:
                return None
            except OSError as exc:
                raise LabError(f"sysctl {key} (in {self.name}): {exc.strerror}") from exc

    def delete(self) -> None:
        """Let go of it: its devices go with the last process in it. Nothing happens twice."""
        with suppress(OSError):  # not mounted: a half-made or an already deleted one
            unmount(str(self.path))
        self.path.unlink(missing_ok=True)


def sysctl_name(ifname: str) -> str:
    """An interface's name as it stands in a sysctl key."""
    return ifname.replace(".", "/")


def _sysctl_path(key: str) -> Path:
    return Path("/proc/sys", key.translate(_DOTS_AND_SLASHES))


def create(name: str) -> NetNS:
    """Make a network namespace with a name. Raises LabError where the name is taken or refused."""
    return _keep(name, new=True)


def adopt(name: str) -> NetNS:
    """Give the one that the calling thread is in a name. Raises LabError like `create`."""
    return _keep(name, new=False)


def _keep(name: str, *, new: bool) -> NetNS:
    netns = NetNS(name, DIRECTORY / name)
    try:
        DIRECTORY.mkdir(parents=True, exist_ok=True)
        netns.path.touch(exist_ok=False)
    except OSError as exc:
        raise LabError(f"network namespace {name}: {exc.strerror}: {netns.path}") from exc
    try:
        with _coming_back():
            if new:
                unshare(CLONE_NEWNET)
            mount(_OWN, str(netns.path), flags=MS_BIND)
    except OSError as exc:
        netns.delete()
        raise LabError(f"network namespace {name}: {exc}") from exc
    return netns
