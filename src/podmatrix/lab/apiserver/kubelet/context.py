"""What all workers of a node share."""

import asyncio
from dataclasses import dataclass, field

from podmatrix.lab.apiserver.recorder import EventRecorder
from podmatrix.lab.apiserver.store import Store
from podmatrix.lab.runtime import ContainerRuntime, NadLookup

STARTING_AT_ONCE = 8
"""How many pods of a node are started at the same time."""


@dataclass(frozen=True, slots=True, kw_only=True)
class NodeContext:
    """A node as its pods see it. `starting` bounds how many of them start at once."""

    node_name: str
    host_ip: str
    log_dir: str
    store: Store
    runtime: ContainerRuntime
    nads: NadLookup
    events: EventRecorder
    multus_events: EventRecorder
    starting: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(STARTING_AT_ONCE))
