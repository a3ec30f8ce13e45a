"""The programs a lab starts, by the packages they come in, and what to say where one is missing."""

import os
import shutil
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

from podmatrix.errors import SandboxError


@dataclass(frozen=True, slots=True, kw_only=True)
class Tool:
    """A program and its package on Debian (and Ubuntu), Fedora and Alpine."""

    name: str
    debian: str
    fedora: str
    alpine: str


def _tool(name: str, debian: str, fedora: str, alpine: str) -> Tool:
    return Tool(name=name, debian=debian, fedora=fedora, alpine=alpine)


LAB_TOOLS = (
    _tool("ip", "iproute2", "iproute", "iproute2"),
    _tool("bridge", "iproute2", "iproute", "iproute2"),
    _tool("iptables", "iptables", "iptables-nft", "iptables"),
    _tool("iptables-save", "iptables", "iptables-nft", "iptables"),
    _tool("iptables-restore", "iptables", "iptables-nft", "iptables"),
    _tool("nsenter", "util-linux", "util-linux-core", "util-linux-misc"),
    _tool("setpriv", "util-linux", "util-linux", "setpriv"),
    _tool("unshare", "util-linux", "util-linux-core", "util-linux-misc"),
    _tool("mount", "mount", "util-linux-core", "mount"),
    _tool("sleep", "coreutils", "coreutils", "coreutils"),
    _tool("ping", "iputils-ping", "iputils", "iputils-ping"),
    _tool("fping", "fping", "fping", "fping"),
    _tool("busybox", "busybox", "busybox", "busybox"),
)
"""What must be there; the last three are what pods probe with."""

_INSTALL = {
    "debian": "apt-get install -y",
    "fedora": "dnf install -y",
    "alpine": "apk add",
}
_SBIN = ("/usr/local/sbin", "/usr/sbin", "/sbin")


def search_path() -> str:
    """$PATH with the directories of system tools, which ordinary users often lack."""
    directories = os.get_exec_path()
    return os.pathsep.join(dict.fromkeys((*directories, *_SBIN)))


def missing_tools(
    tools: Iterable[Tool] = LAB_TOOLS, which: Callable[..., str | None] = shutil.which
) -> list[Tool]:
    """Those that are nowhere on `search_path()`."""
    return [tool for tool in tools if which(tool.name, path=search_path()) is None]


def distribution(os_release: Path = Path("/etc/os-release")) -> str | None:
    """`debian`, `fedora` or `alpine`, or the one this distribution says it is like."""
    try:
        lines = os_release.read_text().splitlines()
    except OSError:
        return None
    fields = dict(line.split("=", 1) for line in lines if "=" in line)
    names = f"{fields.get('ID', '')} {fields.get('ID_LIKE', '')}".replace('"', "").split()
    aliases = {"ubuntu": "debian", "rhel": "fedora", "centos": "fedora"}
    return next((known for name in names if (known := aliases.get(name, name)) in _INSTALL), None)


def install_command(tools: Iterable[Tool], where: str | None) -> str:
    """The one command that installs them; names Debian's packages where `where` is unknown."""
    family = where or "debian"
    packages = sorted({str(getattr(tool, family)) for tool in tools})
    return f"{_INSTALL[family]} {' '.join(packages)}"


def check_tools(
    tools: Iterable[Tool] = LAB_TOOLS, which: Callable[..., str | None] = shutil.which
) -> None:
    """Raises SandboxError that names what is missing and how to get it."""
    missing = missing_tools(tools, which)
    if not missing:
        return
    names = ", ".join(tool.name for tool in missing)
    where = distribution()
    command = install_command(missing, where)
    sudo = "" if os.geteuid() == 0 else "sudo "
    like = "" if where else " (the packages' names on Debian)"
    raise SandboxError(f"the lab needs {names}: not found in PATH: run `{sudo}{command}`{like}")
