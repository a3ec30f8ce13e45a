"""With what privileges a container's processes run: capabilities, user, groups, no_new_privs."""

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from podmatrix.errors import LabError
from podmatrix.lab.image import Image
from podmatrix.lab.runtime import ContainerConfig

# In the kernel's order: the place in the list is the number (include/uapi/linux/capability.h).
CAPABILITIES = (
    *("chown", "dac_override", "dac_read_search", "fowner", "fsetid", "kill", "setgid", "setuid"),
    *("setpcap", "linux_immutable", "net_bind_service", "net_broadcast", "net_admin", "net_raw"),
    *("ipc_lock", "ipc_owner", "sys_module", "sys_rawio", "sys_chroot", "sys_ptrace", "sys_pacct"),
    *("sys_admin", "sys_boot", "sys_nice", "sys_resource", "sys_time", "sys_tty_config", "mknod"),
    *("lease", "audit_write", "audit_control", "setfcap", "mac_override", "mac_admin", "syslog"),
    *("wake_alarm", "block_suspend", "audit_read", "perfmon", "bpf", "checkpoint_restore"),
)

DEFAULT_CAPABILITIES = frozenset(
    {
        "audit_write",
        "chown",
        "dac_override",
        "fowner",
        "fsetid",
        "kill",
        "mknod",
        "net_bind_service",
        "net_raw",
        "setfcap",
        "setgid",
        "setpcap",
        "setuid",
        "sys_chroot",
    }
)
"""containerd's default (containerd, pkg/oci/spec.go, defaultUnixCaps)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Privileges:
    """What a process is reduced to before its command is executed.

    `dropped`: numbers of the capabilities taken from its bounding set. `groups`: the supplementary
    ones, None where this lab cannot set any (setgroups(2) is denied with one mapped id).
    """

    dropped: tuple[int, ...] = ()
    user: int = 0
    group: int = 0
    groups: tuple[int, ...] | None = None
    no_new_privileges: bool = False

    def data(self) -> dict[str, Any]:
        """As JSON for the process itself (`enter.py`, `init.py`)."""
        return asdict(self)


def capabilities(config: ContainerConfig) -> frozenset[str]:
    """The bounding set of a container; names that are no capability are ignored, as by runc."""
    if config.privileged:
        return frozenset(CAPABILITIES)
    dropped, added = _named(config.drop_capabilities), _named(config.add_capabilities)
    # As in the CRI: ALL is carried out first, single names then take away or give back.
    kept = frozenset() if "all" in dropped else DEFAULT_CAPABILITIES
    if "all" in added:
        kept = frozenset(CAPABILITIES)
    return (kept | (added - {"all"})) - (dropped - {"all"})


def _named(names: Iterable[str]) -> frozenset[str]:
    found = frozenset(name.lower().removeprefix("cap_") for name in names)
    return found & {*CAPABILITIES, "all"}


def mapped_ids(gid_map: Path = Path("/proc/self/gid_map")) -> int:
    """How many group ids there are, from 0 on: as many as user ids."""
    ranges = [line.split() for line in gid_map.read_text().splitlines()]
    return max(int(first) + int(count) for first, _, count in ranges)


def privileges_of(config: ContainerConfig, image: Image, *, mapped: int) -> Privileges:
    """The privileges of a container's processes.

    `mapped`: how many ids the lab has. Raises LabError where one that is asked for is none of
    them: nothing ever runs as somebody else than its pod says.
    """
    user = config.run_as_user or 0
    group = config.run_as_group
    if group is None:
        group = image.user(user).group if config.run_as_user is not None else 0
    supplemental = config.supplemental_groups
    asked = {"runAsUser": (user,), "runAsGroup": (group,), "supplementalGroups": supplemental}
    _check_mapped(asked, mapped)
    kept = capabilities(config)
    dropped = tuple(number for number, name in enumerate(CAPABILITIES) if name not in kept)
    return Privileges(
        dropped=dropped,
        user=user,
        group=group,
        groups=tuple(dict.fromkeys((group, *supplemental))) if mapped > 1 else None,
        no_new_privileges=config.no_new_privileges,
    )


def _check_mapped(asked: Mapping[str, Iterable[int]], mapped: int) -> None:
    for field, ids in asked.items():
        for one in ids:
            if not 0 <= one < mapped:
                cure = ": start the lab as root" if mapped == 1 else ""
                raise LabError(
                    f"{field} {one} does not exist in this lab, which has the ids 0 to "
                    f"{mapped - 1}{cure}"
                )


def setpriv_argv(privileges: Privileges) -> tuple[str, ...]:
    """The same as a command to put in front of another; empty where everything is kept."""
    argv: list[str] = []
    if privileges.dropped:
        kept = [f"+{one}" for at, one in enumerate(CAPABILITIES) if at not in privileges.dropped]
        argv += ["--bounding-set", ",".join(("-all", *sorted(kept))), "--inh-caps", "-all"]
    if privileges.groups is not None:
        argv += ["--reuid", str(privileges.user), "--regid", str(privileges.group)]
        argv += ["--groups", ",".join(map(str, privileges.groups))]
    if privileges.no_new_privileges:
        argv += ["--no-new-privs"]
    return ("setpriv", *argv, "--") if argv else ()
