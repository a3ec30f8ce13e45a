"""Kubernetes objects as plain JSON data, and the few things asked of every one of them.

Objects that are in the store are never changed in place: an update makes a new dict that shares
what did not change.
"""

import secrets
from datetime import UTC, datetime
from typing import Any

Json = Any
"""A JSON value: dict, list, str, int, float, bool or None."""

Object = dict[str, Json]
"""A Kubernetes object as JSON data."""

_SUFFIX_LETTERS = "bcdfghjklmnpqrstvwxz2456789"  # k8s.io/apimachinery/pkg/util/rand


def now() -> datetime:
    """The time of this machine, in UTC."""
    return datetime.now(UTC)


def rfc3339(moment: datetime) -> str:
    """A time as Kubernetes writes metav1.Time: whole seconds, `Z`."""
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ")


def timestamp() -> str:
    """Now, as Kubernetes writes it."""
    return rfc3339(now())


def parse_time(text: str) -> datetime:
    """The inverse of rfc3339; takes fractions of a second, too (metav1.MicroTime)."""
    return datetime.fromisoformat(text)


def name_of(obj: Object) -> str:
    """metadata.name, empty where there is none."""
    return str(obj.get("metadata", {}).get("name") or "")


def namespace_of(obj: Object) -> str:
    """metadata.namespace, empty for objects of the cluster's scope."""
    return str(obj.get("metadata", {}).get("namespace") or "")


def uid_of(obj: Object) -> str:
    """metadata.uid."""
    return str(obj["metadata"]["uid"])


def version_of(obj: Object) -> int:
    """metadata.resourceVersion as the number it is here."""
    return int(obj["metadata"]["resourceVersion"])


def with_metadata(obj: Object, **changes: Json) -> Object:
    """A copy with metadata fields set; a value of None takes the field away."""
    metadata = {**obj.get("metadata", {}), **changes}
    return {**obj, "metadata": {key: value for key, value in metadata.items() if value is not None}}


def generated_name(prefix: str) -> str:
    """A name for `metadata.generateName`: the prefix and five letters, as the real server does."""
    return prefix[:58] + "".join(secrets.choice(_SUFFIX_LETTERS) for _ in range(5))
