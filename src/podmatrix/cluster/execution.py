"""One command in one pod, over a WebSocket, with the official client.

What its `stream` does with a broken exec is not an error everywhere: a refused upgrade is an
ApiException with status 0, a cut connection ends quietly without an exit status, and reading
without a timeout may block for ever. Nothing here reads without one.
"""

import json
import threading
from collections.abc import Sequence
from typing import Any

from podmatrix.cluster.client import Cluster, core_api
from podmatrix.cluster.failures import (
    exec_failure,
    is_transient,
    library_errors,
    patiently,
    status_of,
)
from podmatrix.errors import ExecError
from podmatrix.model import Completed
from podmatrix.polling import Deadline

STDOUT, STDERR, STATUS = 1, 2, 3
"""Channels of v4.channel.k8s.io and v5.channel.k8s.io."""

SLICE_S = 0.5
"""How long one read may wait before `cancelled` and the deadline are looked at again."""


def run(
    cluster: Cluster,
    namespace: str,
    pod: str,
    container: str,
    argv: Sequence[str],
    *,
    timeout_s: float,
    cancelled: threading.Event | None = None,
) -> Completed:
    """Run `argv` and return what it printed; `returncode` is None where the exit status never came.

    Raises ExecError where it could not be started or did not end in `timeout_s`, ExecStatusError
    where the server refused it. Says nothing about the network in either case.
    """
    deadline = Deadline(timeout_s)
    what = f"cannot run a command in pod {namespace}/{pod}"
    opening = _Opening(cluster, namespace, pod, container, argv)
    socket = opening.wait(what, deadline, cancelled or threading.Event())
    try:
        _receive(socket, what, deadline, cancelled)
        output = {channel: _text(socket, channel) for channel in (STDOUT, STDERR, STATUS)}
    finally:
        # Not close(): that waits for the server's side of the closing handshake.
        socket.sock.shutdown()
    return Completed(
        argv=tuple(argv),
        returncode=_returncode(output[STATUS], what),
        stdout=output[STDOUT],
        stderr=output[STDERR],
    )


class _Opening:
    """Opens the WebSocket in a thread of its own.

    The client connects without a timeout, and turns a KeyboardInterrupt meanwhile into an
    ApiException: neither may happen to the thread that waits.
    """

    def __init__(
        self, cluster: Cluster, namespace: str, pod: str, container: str, argv: Sequence[str]
    ) -> None:
        self._cluster = cluster
        self._request = {
            "name": pod,
            "namespace": namespace,
            "container": container,
            "command": list(argv),
        }
        self._done = threading.Event()
        self._lock = threading.Lock()
        self._abandoned = False
        self._socket: Any = None
        self._error: Exception | None = None

    def wait(self, what: str, deadline: Deadline, cancelled: threading.Event) -> Any:  # noqa: ANN401
        """The open WSClient. Raises ExecError."""
        threading.Thread(target=self._open, name="podmatrix-exec-open", daemon=True).start()
        try:
            while not self._done.wait(min(SLICE_S, deadline.remaining_s)):
                if cancelled.is_set() or deadline.expired:
                    why = "interrupted" if cancelled.is_set() else "no connection in time"
                    raise ExecError(f"{what}: {why}, after {deadline.timeout_s:g} s at most")
        finally:
            self._abandon_if_not_done()
        if self._error is not None:
            where = self._cluster.where
            raise exec_failure(self._error, what=what, where=where) from self._error
        return self._socket

    def _abandon_if_not_done(self) -> None:
        with self._lock:
            self._abandoned = not self._done.is_set()

    def _open(self) -> None:
        try:
            socket = patiently(self._stream, attempts=3, transient=_refused_for_now)
        except library_errors() as exc:
            self._error = exc
        else:
            with self._lock:
                self._socket = socket
                if self._abandoned:
                    socket.sock.shutdown()
        self._done.set()

    def _stream(self) -> Any:  # noqa: ANN401  the client has no types
        from kubernetes.stream import stream

        api = core_api(self._cluster.new_api())
        return stream(
            api.connect_get_namespaced_pod_exec,
            **self._request,
            stdin=False,
            stdout=True,
            stderr=True,
            tty=False,
            binary=True,
            _preload_content=False,
        )


def _refused_for_now(exc: BaseException) -> bool:
    # 429 is for the caller: it lowers its concurrency instead of insisting.
    return is_transient(exc) and status_of(exc) != 429


def _receive(
    socket: Any,  # noqa: ANN401  the client has no types
    what: str,
    deadline: Deadline,
    cancelled: threading.Event | None,
) -> None:
    """Read until the server closes. A connection that is cut ends it, too: no status will be there.

    Raises ExecError at the deadline.
    """
    from websocket import WebSocketException

    while socket.is_open():
        if cancelled is not None and cancelled.is_set():
            raise ExecError(f"{what}: interrupted")
        if deadline.expired:
            raise ExecError(f"{what}: it did not end within {deadline.timeout_s:g} s")
        # A frame that began and never ends would block beyond the wait for its first byte.
        socket.sock.settimeout(max(0.1, deadline.remaining_s))
        try:
            socket.update(timeout=min(SLICE_S, deadline.remaining_s))
        except (WebSocketException, OSError):
            if not deadline.expired:
                return


def _text(socket: Any, channel: int) -> str:  # noqa: ANN401  the client has no types
    from websocket import WebSocketException

    try:
        data = socket.read_channel(channel, timeout=0)
    except (WebSocketException, OSError):
        return ""
    # Version 33 of the client says "" for nothing, in binary mode too.
    return data if isinstance(data, str) else bytes(data).decode("utf-8", "replace")


def _returncode(status: str, what: str) -> int | None:
    """Read the Status of the error channel; None where it never came or came in pieces.

    Raises ExecError where it says that the command was never started.
    """
    try:
        document = json.loads(status)
    except ValueError:
        return None
    if not isinstance(document, dict):
        return None
    if document.get("status") == "Success":
        return 0
    causes = (document.get("details") or {}).get("causes") or ()
    for cause in causes:
        if cause.get("reason") == "ExitCode" and str(cause.get("message")).isdecimal():
            return int(cause["message"])
    raise ExecError(f"{what}: {document.get('message') or status}")
