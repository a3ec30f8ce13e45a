"""What the owner of a lab starts (`python -m podmatrix.lab.boot`): sandbox, process 1, server.

Standard input carries two lines of JSON: a Request, and, when they are made, the Credentials.
Events go to the pipe `status_fd`, a line of JSON each: `{"event", "text"}` with the events
`progress`, `ready` and `error`, which also tells its `type`. Everything heavy is imported by the
server alone.
"""

import json
import os
import socket
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TypedDict

from podmatrix.errors import PodmatrixError
from podmatrix.lab.init import run_init
from podmatrix.lab.sandbox import finish_sandbox, run_in_sandbox
from podmatrix.lab.state import remover

FAILED = 1


class Request(TypedDict):
    """What the owner asks for.

    `owner`: the process whose end is the lab's, 0 where the lab outlives everyone. `directory`: the
    lab's files, removed at its end. `topology` is JSON.
    """

    owner: int
    parent: int
    directory: str
    topology: str
    listen_fd: int
    status_fd: int


class Status:
    """The pipe to the owner."""

    def __init__(self, fd: int) -> None:
        self._fd = fd

    def tell(self, event: str, text: str = "", **more: str) -> None:
        """Send an event. An owner that went away is found out elsewhere."""
        line = json.dumps({"event": event, "text": text, **more}) + "\n"
        try:
            os.write(self._fd, line.encode())
        except BrokenPipeError:
            return

    def progress(self, text: str) -> None:
        """Say what is being waited for."""
        self.tell("progress", text)

    def ready(self) -> None:
        """Say that the API answers: the last event."""
        self.tell("ready")
        os.close(self._fd)


def main() -> int:
    """Returns the exit status: 0 where the lab was stopped or had run, 1 where it failed."""
    line = sys.stdin.buffer.readline()
    if not line:
        return FAILED  # the owner changed its mind
    request: Request = json.loads(line)
    owner_fd = os.pidfd_open(request["owner"]) if request["owner"] else None
    if os.getppid() != request["parent"]:
        return FAILED  # it died before it could be watched
    server_fds = (request["listen_fd"], request["status_fd"])
    for fd in server_fds:
        os.set_inheritable(fd, False)
    status = Status(request["status_fd"])

    def server(to_init: socket.socket) -> int:
        from podmatrix.lab.network_check import NetworkCheck

        check = NetworkCheck()
        from podmatrix.lab.assembly import run_server  # takes a while: pydantic, pyroute2, aiohttp

        return _reporting(status, lambda: run_server(request, status, to_init, check))

    def init() -> int:
        finish_sandbox()
        return run_init(server, server_fds=server_fds)

    remove_files = remover(Path(request["directory"]))
    code = _reporting(
        status,
        lambda: run_in_sandbox(
            lambda: _reporting(status, init), owner_fd=owner_fd, inner_fds=server_fds
        ),
    )
    if code == 0:  # else the log is still of use
        remove_files()
    return code


def _reporting(status: Status, run: Callable[[], int]) -> int:
    try:
        return run()
    except PodmatrixError as exc:
        status.tell("error", str(exc), type=type(exc).__name__)
        return FAILED


if __name__ == "__main__":
    sys.exit(main())
