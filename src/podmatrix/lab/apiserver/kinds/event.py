"""Events, served in their two shapes: core/v1 (as they are kept) and events.k8s.io/v1."""

from collections.abc import Callable, Sequence
from datetime import datetime

from podmatrix.lab.apiserver.ages import age
from podmatrix.lab.apiserver.kinds.columns import METADATA_LABELS
from podmatrix.lab.apiserver.kinds.names import metadata_causes
from podmatrix.lab.apiserver.objects import Object, name_of, namespace_of
from podmatrix.lab.apiserver.resource import READ, Column, Resource
from podmatrix.lab.apiserver.status import Cause, wrong

_ABOUT = ("apiVersion", "fieldPath", "kind", "name", "namespace", "resourceVersion", "uid")


def _set_defaults(event: Object) -> None:
    for key in ("firstTimestamp", "lastTimestamp", "eventTime"):
        event.setdefault(key, None)
    for key in ("reportingComponent", "reportingInstance"):
        event.setdefault(key, "")
    event.setdefault("source", {})
    event.setdefault("involvedObject", {})


def _causes(event: Object, _old: Object | None) -> Sequence[Cause]:
    causes = list(metadata_causes(event))
    about = event["involvedObject"].get("namespace", "")
    if about != namespace_of(event) and (about or namespace_of(event) != "default"):
        causes.append(wrong("involvedObject.namespace", about, "does not match event.namespace"))
    return causes


def as_events_k8s_io(event: Object) -> Object:
    """The same event in the words of events.k8s.io/v1."""
    renamed = {
        "reportingController": event.get("reportingComponent"),
        "reportingInstance": event.get("reportingInstance"),
        "regarding": event.get("involvedObject"),
        "note": event.get("message"),
        "deprecatedSource": event.get("source"),
        "deprecatedFirstTimestamp": event.get("firstTimestamp"),
        "deprecatedLastTimestamp": event.get("lastTimestamp"),
        "deprecatedCount": event.get("count"),
    }
    return {
        "apiVersion": "events.k8s.io/v1",
        "kind": "Event",
        "metadata": event["metadata"],
        "eventTime": event.get("eventTime"),
        "reason": event.get("reason"),
        "type": event.get("type"),
        **{key: value for key, value in renamed.items() if value not in (None, "")},
    }


def _object(event: Object, _at: datetime) -> str:
    about = event["involvedObject"]
    return f"{str(about.get('kind', '')).lower()}/{about.get('name', '')}"


def _source(event: Object, _at: datetime) -> str:
    source = event.get("source") or {}
    words = [source.get("component") or event.get("reportingComponent"), source.get("host")]
    return ", ".join(word for word in words if word)


def _seen(key: str) -> Callable[[Object, datetime], str]:
    return lambda event, at: age(event.get(key) or event.get("eventTime"), at)


def _text(key: str) -> Callable[[Object, datetime], str]:
    return lambda event, _at: str(event.get(key) or "").strip()


_COLUMNS = (
    Column(name="Last Seen", cell=_seen("lastTimestamp")),
    Column(name="Type", cell=_text("type")),
    Column(name="Reason", cell=_text("reason")),
    Column(name="Object", cell=_object),
    Column(
        name="Subobject",
        priority=1,
        cell=lambda event, _at: event["involvedObject"].get("fieldPath") or "",
    ),
    Column(name="Source", priority=1, cell=_source),
    Column(name="Message", cell=_text("message")),
    Column(name="First Seen", priority=1, cell=_seen("firstTimestamp")),
    Column(name="Count", priority=1, cell=lambda event, _at: event.get("count") or 1),
    Column(name="Name", format="name", priority=1, cell=lambda event, _at: name_of(event)),
)


def _field(key: str) -> Callable[[Object], str]:
    return lambda event: str(event.get(key) or "")


def _about(key: str) -> Callable[[Object], str]:
    return lambda event: str((event.get("involvedObject") or {}).get(key) or "")


EVENTS = Resource(
    group="",
    version="v1",
    plural="events",
    singular="event",
    kind="Event",
    namespaced=True,
    short_names=("ev",),
    columns=_COLUMNS,
    field_labels={
        **METADATA_LABELS,
        **{f"involvedObject.{key}": _about(key) for key in _ABOUT},
        "reason": _field("reason"),
        "reportingComponent": _field("reportingComponent"),
        "source": lambda event: str((event.get("source") or {}).get("component") or ""),
        "type": _field("type"),
    },
    schema="io.k8s.api.core.v1.Event",
    set_defaults=_set_defaults,
    validate=_causes,
)

NEW_EVENTS = Resource(
    group="events.k8s.io",
    version="v1",
    plural="events",
    singular="event",
    kind="Event",
    namespaced=True,
    storage=EVENTS.key,
    verbs=READ,
    short_names=("ev",),
    columns=_COLUMNS,
    field_labels={
        **METADATA_LABELS,
        **{f"regarding.{key}": _about(key) for key in _ABOUT},
        "reason": _field("reason"),
        "reportingController": _field("reportingComponent"),
        "type": _field("type"),
    },
    schema="io.k8s.api.events.v1.Event",
    view=as_events_k8s_io,
)
