"""What can go wrong with a request, in one table: what is tried again, and what it is called.

Nothing of `kubernetes`, urllib3 or websocket-client gets past this module: callers see
ClusterError, StatusError where the server answered, ExecError for an exec.
"""

import json
from collections.abc import Callable
from typing import Any, TypeVar

from podmatrix.errors import ClusterError, ExecError

T = TypeVar("T")

TRANSIENT = frozenset({429, 500, 502, 503, 504})
"""Statuses after which the same request is sent again; also a connection that was reset."""

ATTEMPTS = 5
RETRY_AFTER_MAX_S = 10.0

CURES = {
    401: "the credentials are not accepted: renew them, or choose another --kube-context",
    403: "the rights are missing: ask for them, or choose another --kube-context",
    429: "the server is overloaded: try again later",
}


class StatusError(ClusterError):
    """The server answered with an error; `status` is the HTTP status."""

    def __init__(self, message: str, *, status: int) -> None:
        super().__init__(message)
        self.status = status


class ExecStatusError(ExecError):
    """The server refused an exec; `status` is the HTTP status of the handshake."""

    def __init__(self, message: str, *, status: int) -> None:
        super().__init__(message)
        self.status = status


def library_errors() -> tuple[type[Exception], ...]:
    """Every exception with which a request or a WebSocket of the official client may end."""
    from kubernetes.client.exceptions import OpenApiException
    from urllib3.exceptions import HTTPError
    from websocket import WebSocketException

    return (OpenApiException, HTTPError, WebSocketException, OSError)


def status_of(exc: BaseException) -> int:
    """The HTTP status behind an exception; 0 where no answer came.

    An exec that was refused is an ApiException with status 0; what refused it is its context.
    """
    for error in (exc, exc.__context__, exc.__cause__):
        for name in ("status", "status_code"):
            status = getattr(error, name, None)
            if isinstance(status, int) and status:
                return status
    return 0


def is_transient(exc: BaseException) -> bool:
    """Whether the same request may go through a moment later."""
    from urllib3.exceptions import ProtocolError

    if status := status_of(exc):
        return status in TRANSIENT
    reset = (ConnectionResetError, BrokenPipeError, ConnectionAbortedError, ProtocolError)
    return isinstance(exc, reset) or isinstance(exc.__context__, reset)


def patiently(
    call: Callable[[], T],
    *,
    attempts: int = ATTEMPTS,
    transient: Callable[[BaseException], bool] = is_transient,
) -> T:
    """Call again after transient errors, at most `attempts` times; the last error is raised as is.

    Waits as long as Retry-After says (10 s at most), else 0.1 s, doubled each time.
    """
    from tenacity import Retrying, retry_if_exception, stop_after_attempt

    retrying = Retrying(
        stop=stop_after_attempt(attempts),
        wait=_wait_s,
        retry=retry_if_exception(transient),
        reraise=True,
    )
    return retrying(call)


def _wait_s(state: Any) -> float:  # noqa: ANN401  tenacity's RetryCallState
    exc = state.outcome.exception()
    headers = getattr(exc, "headers", None) or getattr(exc.__context__, "resp_headers", None) or {}
    asked = {str(name).lower(): value for name, value in dict(headers).items()}.get("retry-after")
    if isinstance(asked, str) and asked.isdecimal():
        return min(float(asked), RETRY_AFTER_MAX_S)
    return float(0.1 * 2 ** (state.attempt_number - 1))


def translated(exc: BaseException, *, what: str, where: str) -> ClusterError:
    """The ClusterError that says what an exception of the libraries means."""
    status = status_of(exc)
    if status:
        said = _said(exc)
        # Without any credentials the server answers 403 to "system:anonymous", not 401.
        cure = CURES.get(401 if "system:anonymous" in said else status, "")
        text = f"{what}: {where} answered {status}, {said}"
        return StatusError(f"{text}; {cure}" if cure else text, status=status)
    return ClusterError(f"{what}: {_unreachable(exc, where)}")


def exec_failure(exc: BaseException, *, what: str, where: str) -> ExecError:
    """The same for an exec."""
    error = translated(exc, what=what, where=where)
    if isinstance(error, StatusError):
        return ExecStatusError(str(error), status=error.status)
    return ExecError(str(error))


def _unreachable(exc: BaseException, where: str) -> str:
    from urllib3.exceptions import NewConnectionError
    from urllib3.exceptions import TimeoutError as Urllib3Timeout

    said = " ".join(str(getattr(exc, "reason", None) or exc).split())
    if "CERTIFICATE_VERIFY_FAILED" in said or "certificate verify failed" in said:
        return (
            f"the certificate of {where} cannot be verified ({said}); "
            "certificate-authority in the kubeconfig must be that of this cluster"
        )
    if "SSL" in said or "ssl" in type(exc).__module__:
        return f"no TLS connection with {where} ({said}); check its address and the certificates"
    # A refused connection is a kind of timeout to urllib3.
    waited = isinstance(exc, TimeoutError | Urllib3Timeout)
    if waited and not isinstance(exc, NewConnectionError):
        return f"{where} did not answer in time ({said}); is it up, and is a VPN or proxy needed?"
    return f"{where} cannot be reached ({said}); is the cluster up, and is its address right?"


def _said(exc: BaseException) -> str:
    """The message of the Status that the server sent, else its plain words."""
    for error in (exc, exc.__context__):
        body = getattr(error, "body", None) or getattr(error, "resp_body", None)
        if not body:
            continue
        text = body.decode("utf-8", "replace") if isinstance(body, bytes) else str(body)
        try:
            message = json.loads(text)["message"]
        except (ValueError, KeyError, TypeError):
            message = text
        return " ".join(str(message).split())[:400]
    return " ".join(str(getattr(exc, "reason", "") or exc).split())[:400]
