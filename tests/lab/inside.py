"""Run a function of the tests in namespaces of its own, as root there, and get its result.

`inside("tests.lab.dataplane.scenarios:matrix", encapsulation="none")` starts `unshare ... python -m
tests.lab.inside`; what the function returns comes back as JSON.
"""

import importlib
import json
import subprocess
import sys
from functools import cache
from typing import Any

import pytest

_UNSHARE = (
    *("unshare", "--user", "--map-root-user", "--net", "--mount", "--pid", "--ipc"),
    *("--fork", "--kill-child", "--mount-proc", "--"),
)
_TIMEOUT_S = 120


@cache
def _denied() -> str:
    """Why namespaces cannot be had here; empty where they can."""
    argv = [*_UNSHARE, "ip", "link", "add", "probe0", "type", "veth", "peer", "name", "probe1"]
    try:
        completed = subprocess.run(argv, capture_output=True, text=True, check=False)
    except FileNotFoundError as exc:
        return str(exc)
    return completed.stderr.strip() if completed.returncode else ""


def inside(target: str, **arguments: object) -> dict[str, Any]:
    """Call `module:function(**arguments)` inside; skips where namespaces are denied."""
    if reason := _denied():
        pytest.skip(f"needs network namespaces: {reason}")
    completed = subprocess.run(
        [*_UNSHARE, sys.executable, "-m", "tests.lab.inside", target],
        input=json.dumps(arguments),
        capture_output=True,
        text=True,
        timeout=_TIMEOUT_S,
        check=False,
    )
    if completed.returncode:
        pytest.fail(f"{target} ended with {completed.returncode}:\n{completed.stderr}")
    return dict(json.loads(completed.stdout))


def _main() -> None:
    subprocess.run(["mount", "-t", "tmpfs", "tmpfs", "/run"], check=True)
    subprocess.run(["mkdir", "/run/lock", "/run/netns"], check=True)
    module, _, function = sys.argv[1].partition(":")
    arguments = json.load(sys.stdin)
    json.dump(getattr(importlib.import_module(module), function)(**arguments), sys.stdout)


if __name__ == "__main__":
    _main()
