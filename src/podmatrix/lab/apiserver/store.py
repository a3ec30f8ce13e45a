"""The state of the cluster, in memory: objects, one counter of versions, and who watches them.

Objects are never changed in place: what is read here may be kept and encoded later.
"""

import json
import uuid
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from enum import StrEnum

from podmatrix.lab.apiserver.objects import (
    Object,
    name_of,
    namespace_of,
    timestamp,
    with_metadata,
)
from podmatrix.lab.apiserver.status import expired

HISTORY = 2000
"""Changes kept for watches that resume; older ones answer 410 Expired."""


class ChangeType(StrEnum):
    """The types of a watch event that a change can have."""

    ADDED = "ADDED"
    MODIFIED = "MODIFIED"
    DELETED = "DELETED"


class Change:
    """One change of one object. `previous` is what it was before, None for ADDED."""

    __slots__ = ("_encoded", "key", "object", "previous", "type", "version")

    def __init__(
        self, *, version: int, key: str, type: ChangeType, object: Object, previous: Object | None
    ) -> None:
        self.version = version
        self.key = key
        self.type = type
        self.object = object
        self.previous = previous
        self._encoded: bytes | None = None

    def encoded(self) -> bytes:
        """The object as JSON, encoded once for all who watch."""
        if self._encoded is None:
            self._encoded = json.dumps(self.object, separators=(",", ":")).encode()
        return self._encoded


Listener = Callable[[Change], None]


class Store:
    """Objects by (key of the resource, namespace, name); namespace "" where there is none."""

    def __init__(self) -> None:
        self.version = 0
        self._objects: dict[str, dict[tuple[str, str], Object]] = {}
        self._history: deque[Change] = deque(maxlen=HISTORY)
        self._listeners: dict[str, list[Listener]] = {}
        self._undelivered: deque[Change] = deque()
        self._delivering = False

    def get(self, key: str, namespace: str, name: str) -> Object | None:
        """The object, or None."""
        return self._objects.get(key, {}).get((namespace, name))

    def list(self, key: str, namespace: str = "") -> Iterator[Object]:
        """The objects of a resource, by namespace and name; of all namespaces where it is ""."""
        objects = self._objects.get(key, {})
        for place in sorted(objects):
            if not namespace or place[0] == namespace:
                yield objects[place]

    def list_at(self, key: str, namespace: str, version: int) -> Iterator[Object]:
        """What `list` gave when the store was at a version. Raises ApiError 410 where that is lost.

        Found by undoing what has changed since, so that no version has to be kept whole.
        """
        undone = {
            (namespace_of(change.object), name_of(change.object)): change.previous
            for change in reversed([*self.changes_after(key, version)])
        }
        objects = {**self._objects.get(key, {}), **undone}
        for place in sorted(objects):
            found = objects[place]
            if found is not None and (not namespace or place[0] == namespace):
                yield found

    def keys(self) -> Iterable[str]:
        """The resources that have, or had, objects."""
        return tuple(self._objects)

    def create(self, key: str, obj: Object) -> Object:
        """Add an object, which gets uid, creationTimestamp and resourceVersion, and return it.

        The caller has made sure that there is none of its name.
        """
        metadata = {
            **obj.get("metadata", {}),
            "uid": str(uuid.uuid4()),
            "creationTimestamp": timestamp(),
        }
        return self._write(key, {**obj, "metadata": metadata}, ChangeType.ADDED, None)

    def update(self, key: str, obj: Object) -> Object:
        """Replace the object of the same name and return what is stored; no change, no version."""
        place = (namespace_of(obj), name_of(obj))
        previous = self._objects[key][place]
        version = previous["metadata"]["resourceVersion"]
        if previous == with_metadata(obj, resourceVersion=version):
            return previous
        return self._write(key, obj, ChangeType.MODIFIED, previous)

    def delete(self, key: str, namespace: str, name: str) -> Object | None:
        """Take an object away and return it as it was last, or None where there was none."""
        previous = self._objects.get(key, {}).pop((namespace, name), None)
        if previous is None:
            return None
        self.version += 1
        gone = with_metadata(previous, resourceVersion=str(self.version))
        self._publish(key, ChangeType.DELETED, gone, previous)
        return gone

    def changes_after(self, key: str, version: int) -> Iterator[Change]:
        """The changes of a resource since a version. Raises ApiError 410 where some are lost."""
        oldest = self._history[0].version if self._history else self.version + 1
        if version < oldest - 1 and len(self._history) == HISTORY:
            raise expired(version, oldest)
        return (c for c in self._history if c.key == key and c.version > version)

    def subscribe(self, key: str, listener: Listener) -> Callable[[], None]:
        """Call `listener` with each change of a resource from now on; returns how to end that."""
        listeners = self._listeners.setdefault(key, [])
        listeners.append(listener)
        return lambda: listeners.remove(listener)

    def _write(self, key: str, obj: Object, type_: ChangeType, previous: Object | None) -> Object:
        self.version += 1
        written = with_metadata(obj, resourceVersion=str(self.version))
        self._objects.setdefault(key, {})[(namespace_of(obj), name_of(obj))] = written
        self._publish(key, type_, written, previous)
        return written

    def _publish(self, key: str, type_: ChangeType, obj: Object, previous: Object | None) -> None:
        change = Change(version=self.version, key=key, type=type_, object=obj, previous=previous)
        self._history.append(change)
        self._undelivered.append(change)
        if not self._delivering:
            self._deliver()

    def _deliver(self) -> None:
        """Tell the listeners, change after change: one that writes in turn must not overtake."""
        self._delivering = True
        try:
            while self._undelivered:
                change = self._undelivered.popleft()
                for listener in tuple(self._listeners.get(change.key, ())):
                    listener(change)
        finally:
            self._delivering = False
