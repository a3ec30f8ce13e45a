"""Which labs run: one directory each, with kubeconfig, log and `state.json`.

A state whose process is gone, or is another one by now, is a lab that is down: stale files are
nothing to worry about and are replaced by the next lab of that name.
"""

import contextlib
import json
import os
import select
import signal
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from podmatrix.errors import LabError

STATE_FILE = "state.json"
KUBECONFIG_FILE = "kubeconfig"
LOG_FILE = "lab.log"
STOP_TIMEOUT_S = 10.0


@dataclass(frozen=True, slots=True, kw_only=True)
class LabState:
    """A lab as others find it. `start_time` is field 22 of /proc/PID/stat, in ticks after boot."""

    name: str
    pid: int
    start_time: int
    boot_id: str
    kubeconfig: str
    server: str
    nodes: tuple[str, ...]

    @property
    def running(self) -> bool:
        """Whether its first process is still that process."""
        return self.boot_id == boot_id() and self.start_time == start_time(self.pid)

    def stop(self) -> None:
        """End it and return when no process of it is left. Raises LabError for another's."""
        try:
            handle = os.pidfd_open(self.pid)
        except ProcessLookupError:
            return
        try:
            if self.running:
                _end(handle)
        except PermissionError as exc:
            raise LabError(
                f"lab {self.name} (pid {self.pid}) belongs to another user: stop it as that user"
            ) from exc
        finally:
            os.close(handle)


def _end(handle: int) -> None:
    ended = select.poll()
    ended.register(handle, select.POLLIN)
    for number in (signal.SIGTERM, signal.SIGKILL):
        signal.pidfd_send_signal(handle, number)
        if ended.poll(STOP_TIMEOUT_S * 1000):
            return


def labs_directory() -> Path:
    """`$XDG_STATE_HOME/podmatrix/labs` (XDG Base Directory Specification 0.8).

    Raises LabError where there is no such place.
    """
    base = os.environ.get("XDG_STATE_HOME", "")
    if os.path.isabs(base):
        return Path(base, "podmatrix/labs")
    try:
        return Path.home() / ".local/state/podmatrix/labs"
    except RuntimeError as exc:
        raise LabError(
            "this user has no home directory to keep a lab's state in: set XDG_STATE_HOME"
        ) from exc


def lab_directory(name: str) -> Path:
    """Where a lab of that name keeps its files; it need not exist."""
    return labs_directory() / name


def boot_id() -> str:
    """Tells this boot of the machine from others."""
    return Path("/proc/sys/kernel/random/boot_id").read_text().strip()


def start_time(pid: int) -> int | None:
    """When a process started, in clock ticks after boot; None where there is no such process."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return None
    # The command's name may hold blanks and brackets; what follows the last one does not.
    state, *fields = stat.rpartition(")")[2].split()
    return None if state == "Z" else int(fields[18])


def read_state(directory: Path) -> LabState | None:
    """The state kept in `directory`, running or not; None where there is none that can be read."""
    try:
        fields: dict[str, Any] = json.loads((directory / STATE_FILE).read_text())
        return LabState(**{**fields, "nodes": tuple(fields["nodes"])})
    except (OSError, ValueError, KeyError, TypeError):
        return None


def write_state(directory: Path, state: LabState) -> None:
    """Keep it; replaces what was there at once."""
    text = json.dumps(asdict(state), indent=2) + "\n"
    write_private(directory / STATE_FILE, text)


def write_private(path: Path, text: str) -> None:
    """A file that only its owner can read, replaced in one step. Raises LabError."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        temporary.unlink(missing_ok=True)
        with open(os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
            file.write(text)
        temporary.replace(path)
    except OSError as exc:
        temporary.unlink(missing_ok=True)
        raise LabError(f"{path}: cannot be written: {exc.strerror}: name another place") from exc


def make_private_directory(directory: Path) -> None:
    """A directory that only its owner can enter. Raises LabError."""
    try:
        directory.mkdir(parents=True, exist_ok=True)
        directory.chmod(0o700)
    except OSError as exc:
        raise LabError(
            f"{directory}: cannot be made: {exc.strerror}: set XDG_STATE_HOME to a directory of "
            f"your own"
        ) from exc


def remover(directory: Path) -> Callable[[], None]:
    """What forgets a lab: its files and, where nothing else is in it, its directory.

    The directory is opened now: the lab's first process calls it when the host's files are no
    longer in its sight.
    """
    try:
        parent = os.open(directory.parent, os.O_PATH | os.O_DIRECTORY)
        handle = os.open(directory, os.O_PATH | os.O_DIRECTORY)
    except FileNotFoundError:
        return lambda: None

    def remove() -> None:
        for name in (STATE_FILE, KUBECONFIG_FILE, LOG_FILE):
            with contextlib.suppress(FileNotFoundError):
                os.unlink(name, dir_fd=handle)
        with contextlib.suppress(OSError):  # gone, or somebody keeps files there
            os.rmdir(directory.name, dir_fd=parent)
        os.close(handle)
        os.close(parent)

    return remove


def remove_state(directory: Path) -> None:
    """Forget a lab that is down."""
    remover(directory)()


def running_labs() -> list[LabState]:
    """Every lab of this user that runs, by name."""
    found = (read_state(path.parent) for path in sorted(labs_directory().glob(f"*/{STATE_FILE}")))
    return [state for state in found if state is not None and state.running]
