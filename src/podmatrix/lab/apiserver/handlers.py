"""The one handler of all resources: get, list, watch, create, update, patch, delete."""

import random
from collections.abc import Mapping, Sequence
from contextlib import closing

from aiohttp import web

from podmatrix.lab.apiserver import deletion, writes
from podmatrix.lab.apiserver.codec import accepted, read_body, read_object, strict
from podmatrix.lab.apiserver.list_options import (
    check_version,
    check_watch,
    list_options,
    read_page,
)
from podmatrix.lab.apiserver.objects import Object
from podmatrix.lab.apiserver.patches import patched
from podmatrix.lab.apiserver.request_info import (
    RequestInfo,
    flag,
    number,
    resource_version,
)
from podmatrix.lab.apiserver.responses import (
    json_response,
    list_response,
    object_response,
    stream_response,
)
from podmatrix.lab.apiserver.selectors import Predicate, field_selector, label_selector
from podmatrix.lab.apiserver.status import (
    Cause,
    invalid,
    method_not_allowed,
    unsupported,
)
from podmatrix.lab.apiserver.store import Store
from podmatrix.lab.apiserver.watching import Watch, WatchRequest

_FIELD_VALIDATION = ("", "Ignore", "Strict", "Warn")
_WATCH_TIMEOUT_S = 1800


def verb_of(method: str, info: RequestInfo, query: Mapping[str, str]) -> str:
    """The Kubernetes verb of a request; "" for a method that has none here."""
    everywhere = info.resource.namespaced and not info.namespace
    if everywhere and method != "GET":
        return ""
    if method == "GET" and not info.name:
        return "watch" if flag(query, "watch") else "list"
    if method == "POST":
        return "" if info.name and not info.subresource else "create"
    if method == "DELETE":
        return "delete" if info.name else "deletecollection"
    if method in ("PUT", "PATCH") and not info.name:
        return ""
    return {"GET": "get", "PUT": "update", "PATCH": "patch"}.get(method, "")


class ResourceHandler:
    """Answers requests for resources out of a store."""

    def __init__(self, store: Store) -> None:
        self._store = store

    async def handle(self, request: web.BaseRequest, info: RequestInfo) -> web.StreamResponse:
        """The answer to a request. Raises ApiError."""
        verb = verb_of(request.method, info, request.query)
        allowed = info.resource.verbs
        if info.subresource:
            found = info.resource.subresource(info.subresource)
            allowed = found.verbs if found else ()
        if verb not in allowed:
            raise method_not_allowed()
        match verb:
            case "get":
                check_version(self._store, resource_version(request.query) or 0)
                found_object = writes.existing(self._store, info)
                return object_response(request, info.resource, found_object)
            case "list":
                return self._list(request, info)
            case "watch":
                return await self._watch(request, info)
            case "create":
                return await self._create(request, info)
            case "update" | "patch":
                return await self._update(request, info, patch=verb == "patch")
            case "delete":
                return await self._delete(request, info)
        return await self._delete_collection(request, info)

    def _selection(self, request: web.BaseRequest, info: RequestInfo) -> Predicate:
        labels = label_selector(request.query.get("labelSelector", ""))
        labelled = info.resource.field_labels
        fields = field_selector(request.query.get("fieldSelector", ""), labelled)
        return lambda obj: labels(obj) and fields(obj)

    def _list(self, request: web.BaseRequest, info: RequestInfo) -> web.Response:
        options, selects = list_options(request.query), self._selection(request, info)
        whole = not (request.query.get("labelSelector") or request.query.get("fieldSelector"))
        key, namespace = info.resource.key, info.namespace
        page = read_page(self._store, key, namespace, options, selects, whole=whole)
        return list_response(request, info.resource, page.objects, page.metadata)

    async def _watch(self, request: web.BaseRequest, info: RequestInfo) -> web.StreamResponse:
        query = request.query
        check_watch(query)
        initial, bookmarks = flag(query, "sendInitialEvents"), flag(query, "allowWatchBookmarks")
        timeout_s = number(query, "timeoutSeconds")
        watch = Watch(
            self._store,
            WatchRequest(
                resource=info.resource,
                namespace=info.namespace,
                selects=self._selection(request, info),
                since=None if initial else resource_version(query) or None,
                timeout_s=timeout_s or _WATCH_TIMEOUT_S * random.uniform(1, 2),
                bookmarks=bookmarks,
                initial_events_end=initial and bookmarks,
                format=accepted(request.headers.get("Accept", "")),
                include=query.get("includeObject", ""),
            ),
        )
        with closing(watch):
            return await stream_response(request, watch.lines())

    async def _create(self, request: web.BaseRequest, info: RequestInfo) -> web.Response:
        value = read_body(
            await request.read(), request.headers.get("Content-Type", ""), info.resource.kind
        )
        obj, warnings = self._decoded(request, info, value)
        dry_run = _dry_run(request.query)
        created = writes.create(self._store, info, obj, dry_run=dry_run)
        return object_response(request, info.resource, created, status=201, warnings=warnings)

    async def _update(
        self, request: web.BaseRequest, info: RequestInfo, *, patch: bool
    ) -> web.Response:
        body, dry_run = await request.read(), _dry_run(request.query)
        old = writes.existing(self._store, info)
        content_type = request.headers.get("Content-Type", "")
        if patch:
            value = read_body(body, "application/json", "Patch")
            value = patched(old, value, content_type, info.resource)
        else:
            value = read_body(body, request.headers.get("Content-Type", ""), info.resource.kind)
        obj, warnings = self._decoded(request, info, value)
        updated = writes.update(self._store, info, obj, dry_run=dry_run)
        return object_response(request, info.resource, updated, warnings=warnings)

    def _decoded(
        self, request: web.BaseRequest, info: RequestInfo, value: object
    ) -> tuple[Object, Sequence[str]]:
        """The object a body holds, with the warnings it deserves."""
        validation = request.query.get("fieldValidation", "")
        if validation not in _FIELD_VALIDATION:
            cause = unsupported("fieldValidation", validation, _FIELD_VALIDATION)
            raise invalid("CreateOptions", "", [cause], "meta.k8s.io")
        obj, complaints = read_object(value, info.resource)
        if complaints and validation == "Strict":
            raise strict(info.resource, complaints)
        return obj, () if validation == "Ignore" else complaints

    async def _delete(self, request: web.BaseRequest, info: RequestInfo) -> web.Response:
        options = await _delete_options(request)
        obj = writes.existing(self._store, info)
        return json_response(deletion.delete(self._store, info.resource, obj, options))

    async def _delete_collection(self, request: web.BaseRequest, info: RequestInfo) -> web.Response:
        options, selects = await _delete_options(request), self._selection(request, info)
        chosen = [
            one for one in self._store.list(info.resource.key, info.namespace) if selects(one)
        ]
        for obj in chosen:
            deletion.delete(self._store, info.resource, obj, options)
        metadata = {"resourceVersion": str(self._store.version)}
        return list_response(request, info.resource, chosen, metadata)


async def _delete_options(request: web.BaseRequest) -> deletion.DeleteOptions:
    body = await request.read()
    value = (
        read_body(body, request.headers.get("Content-Type", ""), "DeleteOptions") if body else None
    )
    return deletion.delete_options(value, request.query)


def _dry_run(query: Mapping[str, str]) -> bool:
    asked = query.get("dryRun", "")
    if asked not in ("", "All"):
        message = f'Unsupported value: ["{asked}"]: supported values: "All"'
        cause = Cause(reason="FieldValueNotSupported", message=message, field="dryRun")
        raise invalid("CreateOptions", "", [cause], "meta.k8s.io")
    return bool(asked)
