"""Server-side printing: the Table that `kubectl get` asks for."""

from collections.abc import Sequence
from datetime import datetime

from podmatrix.lab.apiserver.kinds.columns import NAME_AND_AGE
from podmatrix.lab.apiserver.kinds.pod_columns import row_conditions
from podmatrix.lab.apiserver.objects import Object, now
from podmatrix.lab.apiserver.resource import Resource


def table(
    resource: Resource,
    objects: Sequence[Object],
    *,
    metadata: Object,
    include: str,
    header: bool = True,
) -> Object:
    """A meta.k8s.io/v1 Table of objects as they are kept.

    `include` is the includeObject parameter: None, Metadata (also for "") or Object. Watches send
    the column definitions only once: `header`.
    """
    at = now()
    built: Object = {
        "kind": "Table",
        "apiVersion": "meta.k8s.io/v1",
        "metadata": metadata,
        "columnDefinitions": _definitions(resource) if header else None,
        "rows": [_row(resource, one, at, include) for one in objects],
    }
    return built


def partial(obj: Object) -> Object:
    """The PartialObjectMetadata of an object."""
    return {
        "kind": "PartialObjectMetadata",
        "apiVersion": "meta.k8s.io/v1",
        "metadata": obj["metadata"],
    }


def _definitions(resource: Resource) -> list[Object]:
    return [
        {
            "name": one.name,
            "type": one.type,
            "format": one.format,
            "description": "",
            "priority": one.priority,
        }
        for one in resource.columns or NAME_AND_AGE
    ]


def _row(resource: Resource, obj: Object, at: datetime, include: str) -> Object:
    row: Object = {"cells": [one.cell(obj, at) for one in resource.columns or NAME_AND_AGE]}
    if resource.kind == "Pod" and (conditions := row_conditions(obj)):
        row["conditions"] = conditions
    if include == "Object":
        row["object"] = resource.view(obj)
    elif include != "None":
        row["object"] = partial(obj)
    return row
