"""Enter a container that has no tools for it: `enter.py PID JSON COMMAND...`, run by its path.

`nsenter` and `setpriv` execute what they find inside the container; in one that has nothing but
busybox there is no setpriv. So this process takes its privileges away itself, after it has joined
the namespaces and before it executes the command. Says what went wrong as nsenter does.

Standard library only, and little of it: it starts with each exec into such a container.
"""

import json
import os
import signal
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NoReturn

if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from podmatrix.lab.syscalls import (
    CLONE_NEWIPC,
    CLONE_NEWNET,
    CLONE_NEWNS,
    CLONE_NEWPID,
    CLONE_NEWUTS,
    drop_bounding_capability,
    set_no_new_privileges,
    setns,
)

_JOINED = (  # the mount namespace last: it changes what paths mean
    ("pid", CLONE_NEWPID),
    ("net", CLONE_NEWNET),
    ("ipc", CLONE_NEWIPC),
    ("uts", CLONE_NEWUTS),
    ("mnt", CLONE_NEWNS),
)
_NOT_FOUND, _NOT_EXECUTABLE = 127, 126


def reduce_to(privileges: Mapping[str, Any]) -> None:
    """Give up what a container's processes do not have (`privileges.Privileges`)."""
    for number in privileges["dropped"]:
        drop_bounding_capability(number)
    if privileges["groups"] is not None:
        os.setgroups(privileges["groups"])
        os.setresgid(*[privileges["group"]] * 3)
        os.setresuid(*[privileges["user"]] * 3)
    if privileges["no_new_privileges"]:
        set_no_new_privileges()


def main(argv: list[str]) -> int:
    """Returns the exit status of the command, or how nsenter ends where there is none."""
    pid, text, *command = argv
    how = json.loads(text)
    for name, kind in _JOINED:
        setns(f"/proc/{pid}/ns/{name}", kind)
    child = os.fork()  # what is in the new PID namespace are the children
    if child == 0:
        _execute(command, how)
    status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    if status < 0:
        signal.signal(-status, signal.SIG_DFL)
        os.kill(os.getpid(), -status)
    return status


def _execute(command: list[str], how: Mapping[str, Any]) -> NoReturn:
    try:
        os.chdir(how["cwd"])
        reduce_to(how["privileges"])
        for ignored in (signal.SIGPIPE, signal.SIGXFSZ):  # by Python; exec would keep that
            signal.signal(ignored, signal.SIG_DFL)
        os.execvp(command[0], command)
    except OSError as exc:
        os.write(2, f"nsenter: failed to execute {command[0]}: {exc.strerror}\n".encode())
        os._exit(_NOT_FOUND if isinstance(exc, FileNotFoundError) else _NOT_EXECUTABLE)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
