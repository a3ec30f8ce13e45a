"""Events, as the scheduler, the kubelets and Multus record them: repeated ones are counted."""

import time
from collections.abc import Callable

from podmatrix.lab.apiserver.objects import (
    Object,
    name_of,
    namespace_of,
    timestamp,
    uid_of,
    with_metadata,
)
from podmatrix.lab.apiserver.store import Store

NORMAL = "Normal"
WARNING = "Warning"

Record = Callable[..., None]


class EventRecorder:
    """Writes events of one component; `host` is set for a kubelet's."""

    def __init__(self, store: Store, component: str, *, host: str = "") -> None:
        self._store = store
        self._component = component
        self._host = host
        self._names: dict[tuple[str, ...], str] = {}

    def record(
        self, about: Object, type_: str, reason: str, message: str, *, container: str = ""
    ) -> None:
        """Record an event about a pod, or one of its containers.

        An event that says the same of the same object raises the count of the first one
        (client-go's EventCorrelator). A namespace that is going away takes none.
        """
        namespace = namespace_of(about)
        home = self._store.get("namespaces", "", namespace)
        if home is None or "deletionTimestamp" in home["metadata"]:
            return
        identity = (uid_of(about), type_, reason, message, container)
        known = self._store.get("events", namespace, self._names.get(identity, ""))
        if known is None:
            self._create(about, type_, reason, message, container, identity)
            return
        counted = {**known, "count": known["count"] + 1, "lastTimestamp": timestamp()}
        self._store.update("events", counted)

    def forget(self, uid: str) -> None:
        """Count no longer for an object that is gone."""
        self._names = {key: name for key, name in self._names.items() if key[0] != uid}

    def _create(
        self,
        about: Object,
        type_: str,
        reason: str,
        message: str,
        container: str,
        identity: tuple[str, ...],
    ) -> None:
        name = f"{name_of(about)}.{time.time_ns():x}"
        self._names[identity] = name
        self._store.create("events", self._event(about, type_, reason, message, container, name))

    def _event(
        self, about: Object, type_: str, reason: str, message: str, container: str, name: str
    ) -> Object:
        source = {"component": self._component}
        involved = {
            "apiVersion": about["apiVersion"],
            "kind": about["kind"],
            "name": name_of(about),
            "namespace": namespace_of(about),
            "resourceVersion": about["metadata"]["resourceVersion"],
            "uid": uid_of(about),
        }
        if container:
            involved["fieldPath"] = f"spec.containers{{{container}}}"
        if self._host:
            source["host"] = self._host
        at = timestamp()
        event: Object = {
            "apiVersion": "v1",
            "kind": "Event",
            "metadata": {},
            "involvedObject": involved,
            "reason": reason,
            "message": message,
            "source": source,
            "firstTimestamp": at,
            "lastTimestamp": at,
            "count": 1,
            "type": type_,
            "eventTime": None,
            "reportingComponent": self._component,
            "reportingInstance": self._host,
        }
        return with_metadata(event, name=name, namespace=namespace_of(about))
