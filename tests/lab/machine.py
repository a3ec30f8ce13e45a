"""What the tests of the lab see of the machine, without podmatrix: /proc, ip and kubectl."""

import json
import os
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

CLI = (sys.executable, "-m", "podmatrix.cli")


@dataclass(frozen=True, slots=True, kw_only=True)
class Finished:
    code: int
    out: str
    err: str


def run(*argv: str | Path, env: Mapping[str, str] | None = None) -> Finished:
    completed = subprocess.run(
        [os.fspath(arg) for arg in argv],
        capture_output=True,
        text=True,
        timeout=60,
        env={**os.environ, **(env or {})},
    )
    return Finished(code=completed.returncode, out=completed.stdout, err=completed.stderr)


def user_namespace(pid: int) -> str | None:
    try:
        return os.readlink(f"/proc/{pid}/ns/user")
    except OSError:
        return None


def processes_of(first_process: int) -> set[int]:
    """All that are in the user namespace of a lab's first process."""
    namespace = user_namespace(first_process)
    pids = (int(entry.name) for entry in Path("/proc").iterdir() if entry.name.isdecimal())
    return {pid for pid in pids if namespace and user_namespace(pid) == namespace}


def alive(pids: set[int]) -> set[int]:
    return {pid for pid in pids if Path(f"/proc/{pid}").exists()}


def server_process(first_process: int) -> int:
    """The one that serves the API: the youngest of the three that boot a lab."""
    booted = [
        pid
        for pid in processes_of(first_process)
        if b"podmatrix.lab.boot" in Path(f"/proc/{pid}/cmdline").read_bytes()
    ]
    return max(booted)


def links(*enter: str) -> set[str]:
    """Names of the network devices here, or where `enter` leads."""
    shown = run(*enter, "ip", "-json", "link")
    return {link["ifname"] for link in json.loads(shown.out)}


def mount_points() -> set[str]:
    """Those of this machine that a lab covers with its own."""
    lines = Path("/proc/self/mounts").read_text().splitlines()
    points = (line.split()[1] for line in lines)
    return {point for point in points if point.startswith(("/etc", "/tmp", "/var", "/dev"))}
