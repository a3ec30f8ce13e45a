"""Found out by doing: whether this kernel gives the sandbox the devices a lab is made of.

A version or a configuration file would not tell: Ubuntu 24.04 lets unshare(2) succeed and then
denies the capabilities. Runs while the server imports its libraries.
"""

import errno
import subprocess

from podmatrix.errors import SandboxError
from podmatrix.lab.sandbox import explain_denial

_COMMANDS = """\
link set lo up
link add podmatrix0 type veth peer name podmatrix1
link del podmatrix0
link add podmatrix0 type bridge
link del podmatrix0
link add podmatrix0 type vxlan id 1 dstport 8472 dev lo
link del podmatrix0
"""
_TIMEOUT_S = 10.0


class NetworkCheck:
    """A veth pair, a bridge and a vxlan device, made and removed by ip(8)."""

    def __init__(self) -> None:
        """Start it."""
        self._process = subprocess.Popen(
            ["ip", "-batch", "-"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )

    def finish(self) -> None:
        """Raises SandboxError with what the kernel refused."""
        try:
            output, _ = self._process.communicate(_COMMANDS, timeout=_TIMEOUT_S)
        except subprocess.TimeoutExpired as exc:
            self._process.kill()
            raise SandboxError(
                "`ip link add` does not come back: look at the kernel's log"
            ) from exc
        if self._process.returncode:
            raise SandboxError(explain_refusal(output))


def explain_refusal(output: str) -> str:
    """What ip(8) said, in terms of what can be done about it."""
    said = " ".join(output.split())
    if "not permitted" in output or "denied" in output:
        return explain_denial(OSError(errno.EPERM, said))
    if "Unknown device type" in output:
        return (
            f"this kernel lacks a network device the lab is made of ({said}): "
            f"run `sudo modprobe -a veth bridge vxlan`"
        )
    return f"the lab's network devices cannot be made: {said}"
