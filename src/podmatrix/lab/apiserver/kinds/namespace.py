"""Namespaces: defaults, rules and the resource."""

from collections.abc import Sequence

from podmatrix.lab.apiserver.kinds.columns import AGE, METADATA_LABELS, NAME
from podmatrix.lab.apiserver.kinds.names import metadata_causes
from podmatrix.lab.apiserver.objects import Object, name_of
from podmatrix.lab.apiserver.resource import Column, Resource, Subresource
from podmatrix.lab.apiserver.status import Cause

IMMORTAL = ("default", "kube-node-lease", "kube-public", "kube-system")
"""Namespaces that may not be deleted."""


def _set_defaults(namespace: Object) -> None:
    labels = namespace.setdefault("metadata", {}).setdefault("labels", {})
    labels["kubernetes.io/metadata.name"] = name_of(namespace)
    namespace["spec"] = {"finalizers": ["kubernetes"]}
    namespace["status"] = {"phase": "Active"}


def _causes(namespace: Object, _old: Object | None) -> Sequence[Cause]:
    return list(metadata_causes(namespace, name_is_label=True))


def _phase(namespace: Object) -> str:
    return str(namespace.get("status", {}).get("phase") or "")


NAMESPACES = Resource(
    group="",
    version="v1",
    plural="namespaces",
    singular="namespace",
    kind="Namespace",
    namespaced=False,
    verbs=("create", "delete", "get", "list", "patch", "update", "watch"),
    short_names=("ns",),
    subresources=(Subresource(name="status", kind="Namespace", verbs=("get", "patch", "update")),),
    columns=(NAME, Column(name="Status", cell=lambda obj, _at: _phase(obj)), AGE),
    field_labels={**METADATA_LABELS, "status.phase": _phase, "name": name_of},
    schema="io.k8s.api.core.v1.Namespace",
    set_defaults=_set_defaults,
    validate=_causes,
)
