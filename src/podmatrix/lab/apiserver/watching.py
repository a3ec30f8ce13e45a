"""Watches: a stream of changes, one JSON object a line."""

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass

from podmatrix.lab.apiserver.codec import Format, encode
from podmatrix.lab.apiserver.objects import Object
from podmatrix.lab.apiserver.resource import Resource
from podmatrix.lab.apiserver.selectors import Predicate
from podmatrix.lab.apiserver.status import ApiError
from podmatrix.lab.apiserver.store import Change, ChangeType, Store
from podmatrix.lab.apiserver.tables import partial, table

BOOKMARK_INTERVAL_S = 60.0
"""The real server's bookmark frequency."""


@dataclass(frozen=True, slots=True, kw_only=True)
class WatchRequest:
    """What is watched. `since` None: first the state as ADDED events, then what changes."""

    resource: Resource
    namespace: str
    selects: Predicate
    since: int | None
    timeout_s: float
    bookmarks: bool
    initial_events_end: bool
    format: Format
    include: str


class Watch:
    """One client's watch. Subscribed from its making on, so nothing is lost in between."""

    def __init__(self, store: Store, request: WatchRequest) -> None:
        self._store = store
        self._request = request
        self._pending: deque[bytes] = deque()
        self._news = asyncio.Event()
        self._first_row = True
        self._ended = False
        self._start()
        self._unsubscribe = store.subscribe(request.resource.key, self._on_change)

    def close(self) -> None:
        """End the subscription."""
        self._unsubscribe()

    async def lines(self) -> AsyncIterator[bytes]:
        """The events as they come, until the watch times out."""
        loop = asyncio.get_running_loop()
        ends = loop.time() + self._request.timeout_s
        while True:
            while self._pending:
                chunk = b"".join(self._pending)
                self._pending.clear()
                yield chunk
            left = ends - loop.time()
            if left <= 0 or self._ended:
                break
            self._news.clear()
            try:
                async with asyncio.timeout(min(left, BOOKMARK_INTERVAL_S)):
                    await self._news.wait()
            except TimeoutError:
                if self._request.bookmarks:
                    yield self._bookmark()

    def _start(self) -> None:
        request = self._request
        if request.since is None:
            for obj in self._store.list(request.resource.key, request.namespace):
                if request.selects(obj):
                    self._pending.append(self._line("ADDED", obj, None))
            if request.initial_events_end:
                self._pending.append(self._bookmark(end=True))
            return
        try:
            for change in self._store.changes_after(request.resource.key, request.since):
                self._pending.extend(self._lines_of(change))
        except ApiError as exc:  # the stream has begun by then, as it has on a real server
            self._pending.append(encode({"type": "ERROR", "object": exc.body()}) + b"\n")
            self._ended = True

    def _on_change(self, change: Change) -> None:
        self._pending.extend(self._lines_of(change))
        if self._pending:
            self._news.set()

    def _lines_of(self, change: Change) -> Iterator[bytes]:
        """The event of a change, or none: a change can move an object into a selection or out."""
        request, obj = self._request, change.object
        if request.namespace and obj["metadata"].get("namespace") != request.namespace:
            return
        before = change.previous is not None and request.selects(change.previous)
        after = change.type is not ChangeType.DELETED and request.selects(obj)
        if after:
            yield self._line("MODIFIED" if before else "ADDED", obj, change)
        elif before:
            yield self._line("DELETED", obj, change)

    def _line(self, kind: str, obj: Object, change: Change | None) -> bytes:
        return b'{"type":"%s","object":%s}\n' % (kind.encode(), self._shaped(obj, change))

    def _shaped(self, obj: Object, change: Change | None) -> bytes:
        request = self._request
        if request.format.shape == "Table":
            metadata = {"resourceVersion": obj["metadata"]["resourceVersion"]}
            header, self._first_row = self._first_row, False
            return encode(
                table(
                    request.resource,
                    [obj],
                    metadata=metadata,
                    include=request.include,
                    header=header,
                )
            )
        if request.format.shape:
            return encode(partial(obj))
        view = request.resource.view(obj)
        return change.encoded() if change is not None and view is obj else encode(view)

    def _bookmark(self, *, end: bool = False) -> bytes:
        metadata: Object = {"resourceVersion": str(self._store.version), "creationTimestamp": None}
        if end:
            metadata["annotations"] = {"k8s.io/initial-events-end": "true"}
        resource = self._request.resource
        obj = {"kind": resource.kind, "apiVersion": resource.api_version, "metadata": metadata}
        return encode({"type": "BOOKMARK", "object": obj}) + b"\n"
