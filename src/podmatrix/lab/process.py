"""The lab's first process as its owner sees it: what goes in, what events come out, how it ends."""

import json
import os
import select
import socket
import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, BinaryIO

import podmatrix
from podmatrix import errors
from podmatrix.errors import LabError
from podmatrix.lab.boot import Request
from podmatrix.lab.state import STOP_TIMEOUT_S
from podmatrix.lab.tools import search_path
from podmatrix.polling import Deadline

_LOG_TAIL_BYTES = 2000


class LabProcess:
    """`python -m podmatrix.lab.boot`, from its start to its end."""

    def __init__(self, listener: socket.socket, log: BinaryIO) -> None:
        """Start it. It inherits the socket; `log` takes what it writes and is read on failure."""
        self._log = log
        self._events, status = os.pipe()
        self._unfinished = b""
        self._listen_fd, self._status_fd = listener.fileno(), status
        try:
            self._popen = subprocess.Popen(
                [sys.executable, "-P", "-m", "podmatrix.lab.boot"],
                stdin=subprocess.PIPE,
                stdout=log,
                stderr=log,
                pass_fds=(self._listen_fd, self._status_fd),
                env=_environment(),
                cwd="/",
                start_new_session=True,  # a terminal's Ctrl-C is the owner's business
            )
        finally:
            os.close(status)

    @property
    def pid(self) -> int:
        """Its number on the host."""
        return self._popen.pid

    @property
    def running(self) -> bool:
        """Whether it has not ended."""
        return self._popen.poll() is None

    def ask(self, *, topology: str, directory: Path, detach: bool) -> None:
        """Send the request; the boot begins."""
        self.send(
            Request(
                owner=0 if detach else os.getpid(),
                parent=os.getpid(),
                directory=str(directory),
                topology=topology,
                listen_fd=self._listen_fd,
                status_fd=self._status_fd,
            )
        )

    def send(self, document: Mapping[str, Any]) -> None:
        """Write a line of JSON to its standard input."""
        if self._popen.stdin is None:
            raise LabError("the lab's standard input is closed")
        try:
            self._popen.stdin.write(json.dumps(document).encode() + b"\n")
            self._popen.stdin.flush()
        except BrokenPipeError:
            return  # it ended: its events say why

    def await_ready(self, progress: Callable[[str], None], *, timeout_s: float) -> None:
        """Return when the API answers. Raises LabError or one of its kind with the reason."""
        deadline = Deadline(timeout_s)
        last = "process started"
        while True:
            line = self._next_line(deadline)
            if line is None:
                raise LabError(
                    f"the lab is not ready after {timeout_s:g} s, last: {last}{self.log_tail()}"
                )
            if not line:
                raise LabError(f"the lab ended during its start, last: {last}{self.log_tail()}")
            event = json.loads(line)
            last = event["text"] or last
            match event["event"]:
                case "ready":
                    return
                case "error":
                    raise getattr(errors, event["type"], LabError)(event["text"])
                case _:
                    progress(event["text"])

    def wait(self) -> int:
        """Wait until it ends; its exit status."""
        return self._popen.wait()

    def release(self) -> None:
        """Close the pipes: everything was said. The process goes on."""
        for pipe in (self._popen.stdin, self._log):
            if pipe is not None and not pipe.closed:
                pipe.close()
        if self._events >= 0:
            os.close(self._events)
            self._events = -1

    def stop(self) -> None:
        """End it; when this returns no process of the lab is left."""
        self._popen.terminate()
        try:
            self._popen.wait(STOP_TIMEOUT_S)
        except subprocess.TimeoutExpired:
            self._popen.kill()
            self._popen.wait()
        self.release()

    def _next_line(self, deadline: Deadline) -> bytes | None:
        """b"" where no more will come, None where none came in time."""
        while b"\n" not in self._unfinished:
            ready, _, _ = select.select([self._events], [], [], deadline.remaining_s)
            if not ready:
                return None
            received = os.read(self._events, 1 << 16)
            if not received:
                return b""
            self._unfinished += received
        line, _, self._unfinished = self._unfinished.partition(b"\n")
        return line

    def log_tail(self) -> str:
        """What the lab wrote last, ready to be put at the end of a message."""
        self._log.seek(0)
        tail = self._log.read()[-_LOG_TAIL_BYTES:].decode(errors="replace").strip()
        return f"; its log ends:\n{tail}" if tail else ""


def _environment() -> dict[str, str]:
    """Little: what the lab does must not depend on who starts it."""
    package = str(Path(podmatrix.__file__).parent.parent)
    packages = (package, *filter(None, os.environ.get("PYTHONPATH", "").split(os.pathsep)))
    return {
        "HOME": "/root",
        "LANG": "C.UTF-8",
        "PATH": search_path(),
        "PYTHONPATH": os.pathsep.join(os.path.abspath(path) for path in packages),
    }
