"""Runs `pytest` as a user does: a process of its own, from the checkout or from elsewhere."""

import subprocess
import sys
from pathlib import Path

CHECKOUT = Path(__file__).resolve().parents[2]
TIMEOUT_S = 120


def run_pytest(*args: str, cwd: Path = CHECKOUT) -> subprocess.CompletedProcess[str]:
    """Run `python -m pytest ARGS` and return what came of it; stdout and stderr are apart."""
    return subprocess.run(
        [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", *args],
        cwd=cwd,
        capture_output=True,
        text=True,
        timeout=TIMEOUT_S,
        check=False,
    )
