"""Create, update and patch: what every kind goes through before it is in the store."""

from podmatrix.lab.apiserver.objects import (
    Object,
    generated_name,
    name_of,
    namespace_of,
    with_metadata,
)
from podmatrix.lab.apiserver.request_info import RequestInfo
from podmatrix.lab.apiserver.resource import Resource
from podmatrix.lab.apiserver.status import (
    Cause,
    already_exists,
    bad_request,
    conflict,
    forbidden,
    invalid,
    modified,
    not_found,
    wrong,
)
from podmatrix.lab.apiserver.store import Store

_OWN_METADATA = ("uid", "creationTimestamp", "deletionTimestamp", "deletionGracePeriodSeconds")
"""Metadata that clients cannot change: what they send of it is not looked at."""


def existing(store: Store, info: RequestInfo) -> Object:
    """The object a request names. Raises ApiError 404."""
    found = store.get(info.resource.key, info.namespace, info.name)
    if found is None:
        raise not_found(info.resource.plural, info.name, info.resource.group)
    return found


def create(store: Store, info: RequestInfo, obj: Object, *, dry_run: bool = False) -> Object:
    """Admit, default, validate and store a new object; returns it as stored. Raises ApiError."""
    resource = info.resource
    obj = _placed(obj, info)
    if not name_of(obj) and (prefix := obj["metadata"].get("generateName")):
        obj = with_metadata(obj, name=generated_name(prefix))
    if resource.namespaced:
        _check_namespace(store, resource, info.namespace, name_of(obj))
    if resource.generation:
        obj = with_metadata(obj, generation=1)
    resource.set_defaults(obj)
    resource.admit(store, obj)
    _raise_if(resource, obj, resource.validate(obj, None))
    if not resource.stored or dry_run:
        return obj
    if store.get(resource.key, info.namespace, name_of(obj)) is not None:
        raise already_exists(resource.plural, name_of(obj), resource.group)
    return store.create(resource.key, obj)


def _placed(obj: Object, info: RequestInfo) -> Object:
    """The object in the namespace of the request, without what only the server may write."""
    if namespace_of(obj) not in ("", info.namespace):
        raise bad_request(
            "the namespace of the provided object does not match the namespace sent on the request"
        )
    if obj["metadata"].get("resourceVersion"):
        raise bad_request("resourceVersion should not be set on objects to be created")
    cleared = dict.fromkeys((*_OWN_METADATA, "generation", "resourceVersion", "managedFields"))
    return with_metadata(obj, **{**cleared, "namespace": info.namespace or None})


def _check_namespace(store: Store, resource: Resource, namespace: str, name: str) -> None:
    found = store.get("namespaces", "", namespace)
    if found is None:
        raise not_found("namespaces", namespace)
    if "deletionTimestamp" in found["metadata"]:
        cause = Cause(
            reason="NamespaceTerminating",
            message=f"namespace {namespace} is being terminated",
            field="metadata.namespace",
        )
        why = (
            f"unable to create new content in namespace {namespace} because it is being terminated"
        )
        raise forbidden(resource.plural, name, why, resource.group, [cause])


def update(store: Store, info: RequestInfo, obj: Object, *, dry_run: bool = False) -> Object:
    """Replace an object, or only its status (`info.subresource`). Raises ApiError.

    A resourceVersion in the object must be the newest one: who changes what has changed since gets
    409. An object that was waiting for its last finalizer goes away with it.
    """
    resource, old = info.resource, existing(store, info)
    _check_identity(obj, old, info)
    if info.subresource:
        new = {**old, "status": obj.get("status", {})}
        if resource.custom:
            new = {**new, "metadata": old["metadata"]}
    else:
        own = {key: old["metadata"].get(key) for key in (*_OWN_METADATA, "generation")}
        new = with_metadata(obj, **own, namespace=info.namespace or None, managedFields=None)
        if "status" in old:
            new["status"] = old["status"]
        if resource.generation and new.get("spec") != old.get("spec"):
            new = with_metadata(new, generation=old["metadata"].get("generation", 0) + 1)
        _raise_if(resource, new, resource.validate(new, old))
    if dry_run:
        return new
    waited_for_finalizers = "deletionTimestamp" in new["metadata"] and not (
        resource.graceful or resource.kind == "Namespace" or new["metadata"].get("finalizers")
    )
    if waited_for_finalizers:
        store.delete(resource.key, info.namespace, info.name)
        return new
    return store.update(resource.key, new)


def _check_identity(obj: Object, old: Object, info: RequestInfo) -> None:
    resource, name = info.resource, name_of(obj)
    if name != info.name:
        raise bad_request(
            f"the name of the object ({name}) does not match the name on the URL ({info.name})"
        )
    if namespace_of(obj) not in ("", info.namespace):
        raise bad_request(
            f"the namespace of the object ({namespace_of(obj)}) does not match the namespace "
            f"on the URL ({info.namespace})"
        )
    sent = obj["metadata"]
    if sent.get("uid") not in (None, old["metadata"]["uid"]):
        why = (
            f"Precondition failed: UID in precondition: {sent['uid']}, "
            f"UID in object meta: {old['metadata']['uid']}"
        )
        raise conflict(resource.plural, name, why, resource.group)
    if not sent.get("resourceVersion"):
        if resource.custom and not info.subresource:
            cause = wrong("metadata.resourceVersion", 0, "must be specified for an update")
            raise invalid(resource.plural, name, [cause], resource.group)
    elif sent["resourceVersion"] != old["metadata"]["resourceVersion"]:
        raise modified(resource.plural, name, resource.group)


def _raise_if(resource: Resource, obj: Object, causes: object) -> None:
    found = list(causes) if isinstance(causes, list | tuple) else []
    if found:
        raise invalid(resource.kind, name_of(obj), found, resource.group)
