"""What one run was asked to do: frozen, validated, no I/O. The plugin fills it from options."""

from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from podmatrix.errors import SettingsError

DEFAULT_IMAGE = "nicolaka/netshoot:v0.13"
"""Carries iputils, iproute2 and fping."""


class Target(StrEnum):
    """What a run is carried out on."""

    LAB = "lab"
    KUBECONFIG = "kubeconfig"
    RECORD = "record"


@dataclass(frozen=True, slots=True, kw_only=True)
class NodeChoice:
    """Which nodes carry probe pods: `count` of them (None: all), or those named."""

    count: int | None = None
    names: tuple[str, ...] = ()

    @classmethod
    def parse(cls, text: str) -> "NodeChoice":
        """Read `3`, `all`, or `node1,node2`. Raises SettingsError."""
        if text == "all":
            return cls()
        if text.isdecimal():
            if int(text) < 1:
                raise SettingsError(f"--matrix-nodes={text}: at least one node is needed")
            return cls(count=int(text))
        names = tuple(name.strip() for name in text.split(","))
        if not all(names) or text.startswith("-"):
            raise SettingsError(
                f"--matrix-nodes={text}: give a number, 'all', or names: --matrix-nodes=node1,node2"
            )
        if len(set(names)) != len(names):
            raise SettingsError(f"--matrix-nodes={text}: a node is named twice")
        return cls(count=len(names), names=names)


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """One run. Timeouts in seconds; `attempts` counts sweep rounds for required cells.

    An empty `profile` is the one a saved record was made with.
    """

    target: Target
    profile: str
    nodes: NodeChoice
    kubeconfig: Path | None = None
    context: str | None = None
    in_cluster: bool = False
    record: Path | None = None
    image: str = DEFAULT_IMAGE
    namespace: str | None = None
    keep: bool = False
    attempts: int = 2
    timeout_s: float = 120.0
    tolerate_flaky: bool = False
    report_dir: Path = Path("reports")
    lab_topology: Path | None = None
    lab_nodes: int | None = None
