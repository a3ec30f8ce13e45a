"""The owner's side of a lab: start it, wait until its API answers, stop it.

Whatever happens to the owner, even SIGKILL, the lab ends with it unless it was detached; whatever
happens during the start leaves nothing behind.
"""

import contextlib
import fcntl
import os
import re
import socket
import sys
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import asdict
from pathlib import Path
from types import TracebackType
from typing import Self

from podmatrix.errors import LabError, SandboxError
from podmatrix.lab.credentials import kubeconfig, make_credentials
from podmatrix.lab.process import LabProcess
from podmatrix.lab.state import (
    KUBECONFIG_FILE,
    LOG_FILE,
    LabState,
    boot_id,
    make_private_directory,
    read_state,
    remove_state,
    start_time,
    write_private,
    write_state,
)
from podmatrix.lab.tools import check_tools
from podmatrix.lab.topology import Topology

START_TIMEOUT_S = 60.0
Progress = Callable[[str], None]


class Lab:
    """A lab that runs. A context manager that stops it."""

    def __init__(self, state: LabState, directory: Path, process: LabProcess) -> None:
        self.state = state
        self._directory = directory
        self._process = process

    @property
    def name(self) -> str:
        """What `lab down --name` takes."""
        return self.state.name

    @property
    def pid(self) -> int:
        """The lab's first process."""
        return self.state.pid

    @property
    def kubeconfig(self) -> Path:
        """Readable by this user only."""
        return Path(self.state.kubeconfig)

    @property
    def server(self) -> str:
        """URL of the API."""
        return self.state.server

    @property
    def nodes(self) -> tuple[str, ...]:
        """Names, in the topology's order."""
        return self.state.nodes

    @property
    def running(self) -> bool:
        """Whether it has not ended by itself."""
        return self._process.running

    def wait(self) -> None:
        """Wait until somebody stops it. Raises LabError where it ended by itself."""
        if status := self._process.wait():
            raise LabError(
                f"lab {self.name} ended by itself, exit status {status}{self._process.log_tail()}"
            )

    def release(self) -> None:
        """Let a detached lab go on without this object."""
        self._process.release()

    def stop(self) -> None:
        """End it and remove its files. Returns when every process of it is gone."""
        self._process.stop()
        remove_state(self._directory)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        value: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.stop()


def start_lab(
    topology: Topology,
    *,
    name: str = "default",
    detach: bool = False,
    state_dir: Path | None = None,
    port: int = 0,
    progress: Progress = lambda line: None,
) -> Lab:
    """Start a lab and return when its API answers.

    `state_dir` is where its kubeconfig, log and state go (None: a private temporary directory that
    goes with the lab). `port` 0 takes any that is free. `detach` lets it outlive this process.
    Raises SandboxError where this machine cannot hold it, LabError where this lab cannot start.
    """
    _check_machine()
    if not re.fullmatch(r"[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?", name):
        raise LabError(f"{name!r} cannot be a lab's name: use lower case letters, digits and '-'")
    directory = state_dir or Path(tempfile.mkdtemp(prefix="podmatrix-lab-"))
    make_private_directory(directory)
    with contextlib.ExitStack() as undo, _locked(directory):
        running = read_state(directory)
        if running is not None and running.running:
            raise LabError(
                f"lab {name} is already running (pid {running.pid}): stop it with "
                f"`podmatrix lab down --name {name}`, or choose another --name"
            )
        undo.callback(remove_state, directory)
        lab = _launch(topology, name, directory, detach=detach, port=port, progress=progress)
        undo.pop_all()
    return lab


def _check_machine() -> None:
    if sys.platform != "linux":
        raise SandboxError(
            "the lab needs Linux: on this system run the suites against a cluster, "
            "pytest --kubeconfig=FILE"
        )
    check_tools()


@contextlib.contextmanager
def _locked(directory: Path) -> Iterator[None]:
    """Keep others from starting a lab of the same name meanwhile."""
    handle = os.open(directory, os.O_RDONLY | os.O_DIRECTORY)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield
    finally:
        os.close(handle)


def _launch(
    topology: Topology, name: str, directory: Path, *, detach: bool, port: int, progress: Progress
) -> Lab:
    log = open(directory / LOG_FILE, "w+b")  # noqa: SIM115  the process closes it
    with _listen(port) as listener:
        url = f"https://127.0.0.1:{listener.getsockname()[1]}"
        process = LabProcess(listener, log)
    # Our copy of the socket is closed: else clients would hang, not fail, after the lab died.
    try:
        process.ask(topology=topology.model_dump_json(), directory=directory, detach=detach)
        credentials = make_credentials()
        process.send(asdict(credentials))
        path = directory / KUBECONFIG_FILE
        write_private(path, kubeconfig(credentials, server=url, name=name))
        process.await_ready(progress, timeout_s=START_TIMEOUT_S)
        state = LabState(
            name=name,
            pid=process.pid,
            start_time=start_time(process.pid) or 0,
            boot_id=boot_id(),
            kubeconfig=str(path),
            server=url,
            nodes=tuple(node.name for node in topology.nodes),
        )
        write_state(directory, state)
    except BaseException:  # Ctrl-C, too, leaves nothing behind
        process.stop()
        raise
    return Lab(state, directory, process)


def _listen(port: int) -> socket.socket:
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind(("127.0.0.1", port))
    except OSError as exc:
        listener.close()
        raise LabError(
            f"port {port} on 127.0.0.1 cannot be used: {exc.strerror}: choose another with --port, "
            f"or leave it out for one that is free"
        ) from exc
    listener.listen(128)
    return listener
