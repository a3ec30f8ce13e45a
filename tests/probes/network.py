"""A small network in namespaces, and programs run inside it. See network.sh."""

import os
import shlex
import subprocess
from collections.abc import Sequence
from pathlib import Path

import pytest

from podmatrix.model import Completed

SETUP = Path(__file__).with_name("network.sh")
UNSHARE = ["unshare", "--user", "--map-root-user", "--net", "--mount"]


def require_network() -> None:
    """Skip where this machine allows no namespaces or lacks a tool."""
    probe = [*UNSHARE, "sh", "-c", f". {shlex.quote(str(SETUP))} && ip netns exec r true"]
    try:
        tried = subprocess.run(probe, capture_output=True, text=True, check=False)
    except FileNotFoundError as exc:
        pytest.skip(f"needs {exc.filename}")
    if tried.returncode:
        pytest.skip(f"no network namespaces here: {tried.stderr.strip()[-200:]}")


def run(
    argv: Sequence[str], *, tools: Path | None = None, first: str = ":", prefix: str = ""
) -> Completed:
    """Run `argv` in a fresh network, after the commands `first`; `tools` is the only PATH."""
    path = f"export PATH={shlex.quote(str(tools))};" if tools else ""
    script = f'. {shlex.quote(str(SETUP))}; {first}; {path} exec {prefix} "$@"'
    done = subprocess.run(
        [*UNSHARE, "sh", "-c", script, "sh", *argv],
        capture_output=True,
        text=True,
        errors="replace",
        check=False,
        env={**os.environ, "LANG": "de_DE.UTF-8"},
        timeout=60,
    )
    return Completed(
        argv=tuple(argv), returncode=done.returncode, stdout=done.stdout, stderr=done.stderr
    )
