"""With what privileges a container's processes run, as an argv that takes the others away."""

from podmatrix.errors import LabError
from podmatrix.lab.runtime import ContainerConfig

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

KNOWN_CAPABILITIES = DEFAULT_CAPABILITIES | {
    "audit_control",
    "audit_read",
    "block_suspend",
    "bpf",
    "checkpoint_restore",
    "dac_read_search",
    "ipc_lock",
    "ipc_owner",
    "lease",
    "linux_immutable",
    "mac_admin",
    "mac_override",
    "net_admin",
    "net_broadcast",
    "perfmon",
    "sys_admin",
    "sys_boot",
    "sys_module",
    "sys_nice",
    "sys_pacct",
    "sys_ptrace",
    "sys_rawio",
    "sys_resource",
    "sys_time",
    "sys_tty_config",
    "syslog",
    "wake_alarm",
}
"""capabilities(7)."""


def capabilities(config: ContainerConfig) -> frozenset[str]:
    """The bounding set of a container. Raises LabError where a name is no capability."""
    if config.privileged:
        return KNOWN_CAPABILITIES
    dropped, added = _named(config.drop_capabilities), _named(config.add_capabilities)
    # As in the CRI: ALL is carried out first, single names then take away or give back.
    kept = frozenset() if "all" in dropped else DEFAULT_CAPABILITIES
    if "all" in added:
        kept = KNOWN_CAPABILITIES
    return (kept | (added - {"all"})) - (dropped - {"all"})


def _named(names: tuple[str, ...]) -> frozenset[str]:
    found = frozenset(name.lower().removeprefix("cap_") for name in names)
    unknown = found - KNOWN_CAPABILITIES - {"all"}
    if unknown:
        raise LabError(f'unknown capability "CAP_{min(unknown).upper()}"')
    return found


def privileges_argv(config: ContainerConfig, *, mapped_ids: int) -> tuple[str, ...]:
    """What to put in front of a container's command; empty where it keeps everything.

    `mapped_ids`: how many user ids the lab has. Raises LabError where run_as_user is not one.
    """
    user = config.run_as_user
    if user is not None and not 0 <= user < mapped_ids:
        raise LabError(
            f"runAsUser {user} does not exist in this lab, which has the ids 0 to {mapped_ids - 1}"
            + (": start the lab as root" if mapped_ids == 1 else "")
        )
    argv: list[str] = []
    if not config.privileged:
        kept = sorted(capabilities(config))
        argv += ["--bounding-set", ",".join(("-all", *(f"+{name}" for name in kept)))]
        argv += ["--inh-caps", "-all"]
    if user:
        # setgroups(2) is denied where only one id is mapped; there nobody but 0 exists anyway.
        argv += ["--reuid", str(user), "--regid", "0", "--clear-groups"]
    return ("setpriv", *argv, "--") if argv else ()
