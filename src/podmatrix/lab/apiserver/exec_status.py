"""The Status that ends an exec, in the words of kubelet and containerd."""

import re
import secrets
from collections.abc import Sequence

from podmatrix.lab.apiserver.objects import Object

_TOOLS = (b"nsenter: ", b"setpriv: ", b"setsid: ", b"sh: ", b"unshare: ", b"env: ")
"""The beginnings of what the tools say that enter a container."""
_HELD_AT_MOST = 1024
_NOT_EXECUTED = re.compile(
    rb"(?:nsenter|setpriv|setsid|sh|unshare|env): "
    rb"(?:failed to execute )?[\"'\xe2\x80\x98]*(?P<path>.+?)[\"'\xe2\x80\x99]*: "
    rb"(?P<why>No such file or directory|Permission denied|Is a directory|Exec format error)\n?"
)


def exit_status(code: int, argv: Sequence[str]) -> Object:
    """The Status of a command that ran."""
    if code == 0:
        return {"metadata": {}, "status": "Success"}
    command = "[" + " ".join(argv) + "]"
    message = (
        "command terminated with non-zero exit code: "
        f"error executing command {command}, exit code {code}"
    )
    cause = {"reason": "ExitCode", "message": str(code)}
    return {
        "metadata": {},
        "status": "Failure",
        "message": message,
        "reason": "NonZeroExitCode",
        "details": {"causes": [cause]},
    }


def may_be_not_executed(stderr: bytes) -> bool:
    """Whether this may be the beginning of a tool's word that it could not run the command."""
    if len(stderr) > _HELD_AT_MOST or b"\n" in stderr[:-1]:
        return False
    if not any(stderr.startswith(one) or one.startswith(stderr) for one in _TOOLS):
        return False
    return not stderr.endswith(b"\n") or _NOT_EXECUTED.fullmatch(stderr) is not None


def not_executed(stderr: bytes, argv: Sequence[str]) -> str:
    """runc's words where the tools that enter the container say they could not run the command."""
    match = _NOT_EXECUTED.fullmatch(stderr)
    if match is None or not argv or match["path"] != argv[0].encode():
        return ""
    name = argv[0]
    if b"No such file" not in match["why"]:
        why = "exec format error" if b"format" in match["why"] else "permission denied"
    elif "/" in name:
        why = f"stat {name}: no such file or directory"
    else:
        why = "executable file not found in $PATH"
    return f'unable to start container process: exec: "{name}": {why}: unknown'


def start_failed(why: str) -> Object:
    """The Status of a command that never ran."""
    message = (
        "error executing command in container: failed to exec in container: failed to start exec "
        f'"{secrets.token_hex(32)}": OCI runtime exec failed: exec failed: {why}'
    )
    return {
        "metadata": {},
        "status": "Failure",
        "message": f"Internal error occurred: {message}",
        "reason": "InternalError",
        "details": {"causes": [{"message": message}]},
        "code": 500,
    }
