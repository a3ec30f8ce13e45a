"""Columns that many kinds share."""

from collections.abc import Mapping
from datetime import datetime

from podmatrix.lab.apiserver.ages import age
from podmatrix.lab.apiserver.objects import Object, name_of, namespace_of
from podmatrix.lab.apiserver.resource import Column, Labels

NONE = "<none>"


def object_age(obj: Object, at: datetime) -> str:
    """The time since its creation."""
    return age(obj["metadata"].get("creationTimestamp"), at)


NAME = Column(name="Name", format="name", cell=lambda obj, _at: name_of(obj))
AGE = Column(name="Age", cell=object_age)
NAME_AND_AGE = (NAME, Column(name="Age", type="date", cell=object_age))

METADATA_LABELS: Labels = {"metadata.name": name_of, "metadata.namespace": namespace_of}
"""The field labels that every kind has."""


def joined(pairs: Mapping[str, str] | None) -> str:
    """Labels as `a=b,c=d`."""
    return ",".join(f"{key}={value}" for key, value in sorted((pairs or {}).items())) or NONE
