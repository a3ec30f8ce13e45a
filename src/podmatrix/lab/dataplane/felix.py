"""Felix' care for the pods of a node: rules come and go with workloads.

Changes that arrive while rules are being loaded are loaded together afterwards, as felix does: a
load takes about the same time for one pod as for twenty.
"""

import threading
from collections import deque
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from podmatrix.errors import LabError
from podmatrix.lab.dataplane.felix_chain import Chains, render_chains
from podmatrix.lab.dataplane.felix_workloads import (
    Workload,
    dispatch_chains,
    profile_chains,
    workload_chains,
)
from podmatrix.lab.netns import NetNS


@dataclass(slots=True)
class _Change:
    """`workload` None: the interface's rules go."""

    interface: str
    workload: Workload | None
    done: bool = False
    error: LabError | None = None


class Felix:
    """The rules of one node's workloads. Its methods may be called from several threads."""

    def __init__(self, netns: NetNS) -> None:
        self._netns = netns
        self._workloads: dict[str, Workload] = {}
        self._waiting: deque[_Change] = deque()
        self._loading = threading.Lock()

    def add_workload(self, workload: Workload) -> None:
        """Returns when the rules for a pod's interface are there. Raises LabError."""
        self._apply(_Change(workload.interface, workload))

    def remove_workload(self, interface: str) -> None:
        """Returns when its rules are gone, if there were any. Raises LabError."""
        self._apply(_Change(interface, None))

    def _apply(self, change: _Change) -> None:
        self._waiting.append(change)
        with self._loading:
            if not change.done:
                self._load([self._waiting.popleft() for _ in range(len(self._waiting))])
        if change.error is not None:
            raise change.error

    def _load(self, changes: list[_Change]) -> None:
        wanted = dict(self._workloads)
        for change in changes:
            if change.workload is not None:
                wanted[change.interface] = change.workload
            else:
                wanted.pop(change.interface, None)
        error = None
        try:
            self._replace(self._workloads, wanted)
            self._workloads = wanted
        except LabError as exc:
            error = exc
        for change in changes:
            change.error, change.done = error, True

    def _replace(self, old: Mapping[str, Workload], new: Mapping[str, Workload]) -> None:
        before, after = _chains(old.values()), _chains(new.values())
        fresh = {name: rules for name, rules in after.items() if name not in before}
        gone = [name for name in before if name not in after]
        if not fresh and not gone:
            return
        lines = [
            *render_chains({**fresh, **dispatch_chains(new)}),
            *(f":{chain} - [0:0]" for chain in gone),
            *(f"-X {chain}" for chain in gone),
        ]
        text = "\n".join(("*filter", *lines, "COMMIT", ""))
        self._netns.run(["iptables-restore", "--noflush", "--wait", "10"], stdin=text)


def _chains(workloads: Iterable[Workload]) -> Chains:
    """Everything but the dispatch; a pod's own chains go first, profiles are shared."""
    own: dict[str, Sequence[str]] = {}
    profiles: dict[str, Sequence[str]] = {}
    for workload in workloads:
        own |= workload_chains(workload)
        profiles |= profile_chains(workload)
    return {**own, **profiles}
