"""Deletion: graceful where a kubelet has to act first, at once otherwise; namespaces last."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta

from podmatrix.lab.apiserver import registry
from podmatrix.lab.apiserver.kinds.namespace import IMMORTAL, NAMESPACES
from podmatrix.lab.apiserver.objects import (
    Json,
    Object,
    name_of,
    namespace_of,
    now,
    rfc3339,
    uid_of,
    with_metadata,
)
from podmatrix.lab.apiserver.resource import Resource
from podmatrix.lab.apiserver.status import (
    bad_request,
    conflict,
    forbidden,
    invalid,
    success,
    unsupported,
)
from podmatrix.lab.apiserver.store import Change, ChangeType, Store

_PROPAGATION = ("Foreground", "Background", "Orphan", "nil")


@dataclass(frozen=True, slots=True, kw_only=True)
class DeleteOptions:
    """What a client says of a deletion; `grace_period_s` None: what the object says."""

    grace_period_s: int | None = None
    uid: str = ""
    resource_version: str = ""
    dry_run: bool = False


def delete_options(body: Json, query: Mapping[str, str]) -> DeleteOptions:
    """DeleteOptions of a body, or of the query where there is none. Raises ApiError 400 or 422."""
    sent: Object = body if isinstance(body, dict) else {}
    grace = sent.get("gracePeriodSeconds", query.get("gracePeriodSeconds"))
    propagation = sent.get("propagationPolicy", query.get("propagationPolicy")) or "Background"
    if propagation not in _PROPAGATION:
        cause = unsupported("propagationPolicy", propagation, _PROPAGATION)
        raise invalid("DeleteOptions", "", [cause], "meta.k8s.io")
    try:
        grace_period_s = None if grace in (None, "") else int(grace)
    except (TypeError, ValueError) as exc:
        raise bad_request(f"gracePeriodSeconds {grace!r} is no whole number") from exc
    conditions = sent.get("preconditions") or {}
    return DeleteOptions(
        grace_period_s=grace_period_s,
        uid=conditions.get("uid") or "",
        resource_version=conditions.get("resourceVersion") or "",
        dry_run=bool(sent.get("dryRun") or query.get("dryRun")),
    )


def delete(store: Store, resource: Resource, obj: Object, options: DeleteOptions) -> Object:
    """Delete an object, or begin to; returns what the request is answered with. Raises ApiError."""
    _check(resource, obj, options)
    if options.dry_run:
        return obj if resource.graceful else _deleted(resource, obj)
    if resource is NAMESPACES:
        return _terminate(store, obj)
    if resource.graceful:
        return _delete_gracefully(store, resource, obj, options)
    if obj["metadata"].get("finalizers"):
        return _mark(store, resource, obj, 0)
    store.delete(resource.key, namespace_of(obj), name_of(obj))
    return _deleted(resource, obj)


def _check(resource: Resource, obj: Object, options: DeleteOptions) -> None:
    name = name_of(obj)
    if options.uid and options.uid != uid_of(obj):
        why = (
            f"the UID in the precondition ({options.uid}) does not match the UID in record "
            f"({uid_of(obj)}). The object might have been deleted and then recreated"
        )
        raise conflict(resource.kind, name, why, resource.group)
    version = obj["metadata"]["resourceVersion"]
    if options.resource_version and options.resource_version != version:
        why = (
            f"the ResourceVersion in the precondition ({options.resource_version}) does not match "
            f"the ResourceVersion in record ({version}). The object might have been modified"
        )
        raise conflict(resource.kind, name, why, resource.group)
    if resource is NAMESPACES and name in IMMORTAL:
        raise forbidden("namespaces", name, "this namespace may not be deleted")


def _deleted(resource: Resource, obj: Object) -> Object:
    details = {
        "name": name_of(obj),
        "group": resource.group,
        "kind": resource.plural,
        "uid": uid_of(obj),
    }
    return success({key: value for key, value in details.items() if value})


def _mark(store: Store, resource: Resource, obj: Object, grace_s: int) -> Object:
    """Set deletionTimestamp, or bring it forward; a later one is not taken."""
    metadata = obj["metadata"]
    if metadata.get("deletionGracePeriodSeconds", grace_s + 1) <= grace_s:
        return obj
    first = "deletionTimestamp" not in metadata
    marked = with_metadata(
        obj,
        deletionTimestamp=rfc3339(now() + timedelta(seconds=grace_s)),
        deletionGracePeriodSeconds=grace_s,
        generation=metadata["generation"] + 1
        if first and "generation" in metadata
        else metadata.get("generation"),
    )
    return store.update(resource.key, marked)


def _delete_gracefully(
    store: Store, resource: Resource, pod: Object, options: DeleteOptions
) -> Object:
    """A pod goes at once where nothing of it runs or no grace is given, else once it is stopped."""
    spec, phase = pod["spec"], pod.get("status", {}).get("phase")
    asked = options.grace_period_s
    grace_s = spec["terminationGracePeriodSeconds"] if asked is None else asked
    if not spec.get("nodeName") or phase in ("Succeeded", "Failed"):
        grace_s = 0
    marked = _mark(store, resource, pod, max(grace_s, 1) if grace_s < 0 else grace_s)
    if grace_s == 0 and not marked["metadata"].get("finalizers"):
        store.delete(resource.key, namespace_of(pod), name_of(pod))
    return marked


def _terminate(store: Store, namespace: Object) -> Object:
    """Mark a namespace; its content is deleted and, when none is left, the namespace."""
    if "deletionTimestamp" in namespace["metadata"]:
        return namespace
    marked = with_metadata(namespace, deletionTimestamp=rfc3339(now()))
    marked = store.update(NAMESPACES.key, {**marked, "status": {"phase": "Terminating"}})
    for resource in registry.stored():
        if resource.namespaced:
            for obj in tuple(store.list(resource.key, name_of(namespace))):
                delete(store, resource, obj, DeleteOptions())
    finish_namespace(store, name_of(namespace))
    return marked


def finish_namespace(store: Store, name: str) -> None:
    """Take a terminating namespace away once it is empty."""
    namespace = store.get(NAMESPACES.key, "", name)
    if namespace is None or "deletionTimestamp" not in namespace["metadata"]:
        return
    if not any(
        any(True for _ in store.list(one.key, name)) for one in registry.stored() if one.namespaced
    ):
        store.delete(NAMESPACES.key, "", name)


def watch_namespaces(store: Store) -> None:
    """Finish a terminating namespace whenever something in it is gone; events do not hold it up."""

    def gone(change: Change) -> None:
        if change.type is ChangeType.DELETED:
            finish_namespace(store, namespace_of(change.object))

    for resource in registry.stored():
        if resource.namespaced:
            store.subscribe(resource.key, gone)
