"""Process 1 of the lab: starts what the server asks for, reaps everything, ends with the server.

Containers and the processes that hold nodes are forked here, not in the server, because this
process is small, has one thread and is the parent that orphans fall back to anyway. What to do is
data (`SpawnSpec`): namespaces to join and to make, steps that prepare the file system, argv.

The protocol is JSON lines over a Unix socket. Request: `{"id", "spawn"}`. Answers: `{"id", "pid"}`
or `{"id", "error"}`; later, for each process started that way, `{"exited", "status"}` with 128 +
signal where one ended it.
"""

import json
import os
import select
import signal
import socket
from collections.abc import Callable, Sequence
from typing import Any, NoReturn, TypedDict

from podmatrix.lab.enter import reduce_to
from podmatrix.lab.steps import Step, take
from podmatrix.lab.syscalls import (
    CLONE_NEWIPC,
    CLONE_NEWNET,
    CLONE_NEWNS,
    CLONE_NEWPID,
    CLONE_NEWUTS,
    sethostname,
    setns,
    unshare,
)

NAMESPACES = {
    "mnt": CLONE_NEWNS,
    "net": CLONE_NEWNET,
    "pid": CLONE_NEWPID,
    "uts": CLONE_NEWUTS,
    "ipc": CLONE_NEWIPC,
}


class SpawnSpec(TypedDict):
    """A process to start. Paths are those of process 1, of steps and argv those of the new one.

    `join`: namespace kind -> path; `make`: kinds; `log`: file that stdout and stderr are appended
    to, /dev/null where empty; `privileges`: what it is reduced to (`privileges.Privileges`), None
    where it keeps everything.
    """

    join: dict[str, str]
    make: list[str]
    hostname: str
    steps: list[Step]
    argv: list[str]
    env: dict[str, str]
    cwd: str
    log: str
    privileges: dict[str, Any] | None


def run_init(server: Callable[[socket.socket], int], *, server_fds: Sequence[int] = ()) -> int:
    """Fork `server` and serve it until it ends. Returns its exit status.

    `server_fds` are closed in this process.
    """
    ours, theirs = socket.socketpair()
    wake_up, wake = os.pipe()
    os.set_blocking(wake, False)
    os.set_blocking(wake_up, False)
    signal.signal(signal.SIGCHLD, lambda *_: None)  # a handler is what makes the wake-up fd work
    signal.set_wakeup_fd(wake, warn_on_full_buffer=False)
    server_pid = os.fork()
    if server_pid == 0:
        signal.set_wakeup_fd(-1)
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        for fd in (ours.fileno(), wake, wake_up):
            os.close(fd)
        os._exit(server(theirs))
    theirs.close()
    for fd in server_fds:
        os.close(fd)
    return _Init(ours, wake_up, server_pid).serve()


class _Init:
    def __init__(self, requests: socket.socket, wake_up: int, server_pid: int) -> None:
        self._requests = requests
        self._wake_up = wake_up
        self._server_pid = server_pid
        self._started: set[int] = set()

    def serve(self) -> int:
        """Returns the server's exit status."""
        poll = select.poll()
        poll.register(self._requests, select.POLLIN)
        poll.register(self._wake_up, select.POLLIN)
        unfinished = b""
        while True:
            for fd, _ in poll.poll():
                if fd == self._wake_up:
                    os.read(self._wake_up, 4096)
                    status = self._reap()
                    if status is not None:
                        return status
                    continue
                received = self._requests.recv(1 << 16)
                if not received:  # the server is gone; its SIGCHLD follows
                    poll.unregister(self._requests)
                *lines, unfinished = (unfinished + received).split(b"\n")
                for line in lines:
                    self._answer(json.loads(line))

    def _answer(self, request: dict[str, Any]) -> None:
        try:
            pid = spawn(request["spawn"])
        except OSError as exc:
            self._tell({"id": request["id"], "error": str(exc.args[-1])})
            return
        self._started.add(pid)
        self._tell({"id": request["id"], "pid": pid})

    def _reap(self) -> int | None:
        while True:
            try:
                pid, status = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                return 0
            if pid == 0:
                return None
            code = os.waitstatus_to_exitcode(status)
            if pid == self._server_pid:
                return code
            if pid in self._started:
                self._started.discard(pid)
                self._tell({"exited": pid, "status": code if code >= 0 else 128 - code})

    def _tell(self, message: dict[str, Any]) -> None:
        try:
            self._requests.sendall(json.dumps(message).encode() + b"\n")
        except BrokenPipeError:
            return  # the server is gone; its SIGCHLD follows


def spawn(spec: SpawnSpec) -> int:
    """Start a process and return its number once argv runs. Raises OSError where a step fails."""
    outcome, report = os.pipe()
    new_pid_namespace = "pid" in spec["make"]
    if new_pid_namespace:
        unshare(CLONE_NEWPID)
    try:
        pid = os.fork()
        if pid == 0:
            os.close(outcome)
            _become(spec, report)
    finally:
        os.close(report)
        if new_pid_namespace:
            setns("/proc/self/ns/pid", CLONE_NEWPID)
    with os.fdopen(outcome, "r") as failure:
        message = failure.read()
    if message:
        os.waitpid(pid, 0)
        raise OSError(message)
    return pid


def _become(spec: SpawnSpec, report: int) -> NoReturn:
    """Turn this child into the process that was asked for; `report` closes when it is."""
    try:
        signal.set_wakeup_fd(-1)
        os.setsid()
        stdin = os.open("/dev/null", os.O_RDONLY)
        flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND
        output = os.open(spec["log"] or "/dev/null", flags, 0o640)
        _enter(spec)
        for step in spec["steps"]:
            take(step)
        os.chdir(spec["cwd"])
        for fd, target in ((stdin, 0), (output, 1), (output, 2)):
            os.dup2(fd, target)
        for ignored in (
            signal.SIGPIPE,
            signal.SIGXFSZ,
        ):  # Python ignores them; exec would keep that
            signal.signal(ignored, signal.SIG_DFL)
        if spec["privileges"] is not None:
            reduce_to(spec["privileges"])
        os.execvpe(spec["argv"][0], spec["argv"], spec["env"])
    except OSError as exc:
        named = f": {exc.filename}" if exc.filename else ""
        os.write(report, f"{exc.args[-1]}{named}".encode())
    except (TypeError, ValueError, KeyError) as exc:  # a spec that is wrong: say it, do not vanish
        os.write(report, f"{type(exc).__name__}: {exc}".encode())
    finally:
        os._exit(127)


def _enter(spec: SpawnSpec) -> None:
    # Joining a mount namespace changes what paths mean, so it comes last.
    for kind in sorted(spec["join"], key=lambda kind: kind == "mnt"):
        setns(spec["join"][kind], NAMESPACES[kind])
    flags = 0
    for kind in spec["make"]:
        flags |= NAMESPACES[kind] if kind != "pid" else 0
    unshare(flags)
    if spec["hostname"]:
        sethostname(spec["hostname"])
