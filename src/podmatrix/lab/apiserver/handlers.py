"""The one handler of all resources: get, list, watch, create, update, patch, delete."""

import random
from collections.abc import Mapping, Sequence
from contextlib import closing

from aiohttp import web

from podmatrix.lab.apiserver import deletion, writes
from podmatrix.lab.apiserver.codec import (
    GONE,
    Format,
    accepted,
    encode,
    read_body,
    read_object,
    strict,
)
from podmatrix.lab.apiserver.objects import Json, Object
from podmatrix.lab.apiserver.patches import patched
from podmatrix.lab.apiserver.request_info import (
    RequestInfo,
    flag,
    number,
    resource_version,
)
from podmatrix.lab.apiserver.selectors import Predicate, field_selector, label_selector
from podmatrix.lab.apiserver.status import (
    Cause,
    invalid,
    method_not_allowed,
    not_permitted,
    unsupported,
)
from podmatrix.lab.apiserver.store import Store
from podmatrix.lab.apiserver.tables import partial, table
from podmatrix.lab.apiserver.watching import Watch, WatchRequest

_FIELD_VALIDATION = ("", "Ignore", "Strict", "Warn")
_WATCH_TIMEOUT_S = 1800


def json_response(
    value: Json,
    *,
    status: int = 200,
    warnings: Sequence[str] = (),
) -> web.Response:
    """A JSON answer; warnings as kubectl shows them."""
    response = web.Response(body=encode(value), status=status, content_type="application/json")
    for one in warnings:
        escaped = one.replace("\\", "\\\\").replace('"', '\\"')
        response.headers.add("Warning", f'299 - "{escaped}"')
    return response


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
                return self._shown(request, info, writes.existing(self._store, info))
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

    def _shown(
        self,
        request: web.BaseRequest,
        info: RequestInfo,
        obj: Object,
        *,
        status: int = 200,
        warnings: Sequence[str] = (),
    ) -> web.Response:
        """One object, in the form the client asked for."""
        wanted = accepted(request.headers.get("Accept", ""))
        value = info.resource.view(obj)
        if wanted.shape == "Table":
            version = obj["metadata"].get("resourceVersion", "")
            include = request.query.get("includeObject", "")
            value = table(info.resource, [obj], version=version, include=include)
        elif wanted.shape:
            value = partial(obj)
        return json_response(value, status=status, warnings=warnings)

    def _selection(self, request: web.BaseRequest, info: RequestInfo) -> Predicate:
        labels = label_selector(request.query.get("labelSelector", ""))
        labelled = info.resource.field_labels
        fields = field_selector(request.query.get("fieldSelector", ""), labelled)
        return lambda obj: labels(obj) and fields(obj)

    def _list(self, request: web.BaseRequest, info: RequestInfo) -> web.Response:
        wanted, resource = accepted(request.headers.get("Accept", "")), info.resource
        number(request.query, "limit")
        resource_version(request.query)
        selects = self._selection(request, info)
        objects = [one for one in self._store.list(resource.key, info.namespace) if selects(one)]
        version = str(self._store.version)
        if wanted.shape == "Table":
            include = request.query.get("includeObject", "")
            return json_response(table(resource, objects, version=version, include=include))
        head = {
            "kind": f"{resource.kind}List",
            "apiVersion": resource.api_version,
            "metadata": {"resourceVersion": version},
        }
        if wanted.shape:
            head |= {"kind": "PartialObjectMetadataList", "apiVersion": "meta.k8s.io/v1"}
            return json_response({**head, "items": [partial(one) for one in objects]})
        return json_response({**head, "items": [self._item(info, one) for one in objects]})

    def _item(self, info: RequestInfo, obj: Object) -> Object:
        """An element of a list: those of built-in kinds do not repeat their kind."""
        shown = info.resource.view(obj)
        if info.resource.custom:
            return shown
        return {key: value for key, value in shown.items() if key not in ("kind", "apiVersion")}

    async def _watch(self, request: web.BaseRequest, info: RequestInfo) -> web.StreamResponse:
        query = request.query
        initial = flag(query, "sendInitialEvents")
        if initial and query.get("resourceVersionMatch") != "NotOlderThan":
            detail = "sendInitialEvents requires setting resourceVersionMatch to NotOlderThan"
            cause = not_permitted("resourceVersionMatch", detail)
            raise invalid("ListOptions", "", [cause], "meta.k8s.io")
        timeout_s = number(query, "timeoutSeconds")
        watch = Watch(
            self._store,
            WatchRequest(
                resource=info.resource,
                namespace=info.namespace,
                selects=self._selection(request, info),
                since=None if initial else resource_version(query) or None,
                timeout_s=timeout_s or _WATCH_TIMEOUT_S * random.uniform(1, 2),
                bookmarks=flag(query, "allowWatchBookmarks"),
                initial_events_end=initial,
                format=accepted(request.headers.get("Accept", "")),
                include=query.get("includeObject", ""),
            ),
        )
        with closing(watch):
            return await _stream(request, watch)

    async def _create(self, request: web.BaseRequest, info: RequestInfo) -> web.Response:
        value = read_body(
            await request.read(), request.headers.get("Content-Type", ""), info.resource.kind
        )
        obj, warnings = self._decoded(request, info, value)
        dry_run = _dry_run(request.query)
        created = writes.create(self._store, info, obj, dry_run=dry_run)
        return self._shown(request, info, created, status=201, warnings=warnings)

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
        return self._shown(request, info, updated, warnings=warnings)

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
        return json_response(
            {
                "kind": f"{info.resource.kind}List",
                "apiVersion": info.resource.api_version,
                "metadata": {"resourceVersion": str(self._store.version)},
                "items": [self._item(info, one) for one in chosen],
            }
        )


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


async def _stream(request: web.BaseRequest, watch: Watch) -> web.StreamResponse:
    response = web.StreamResponse(headers={"Content-Type": "application/json"})
    response.enable_chunked_encoding()
    await response.prepare(request)
    try:
        async for chunk in watch.lines():
            await response.write(chunk)
        await response.write_eof()
    except GONE:
        return response  # nobody is left to be told
    return response


__all__ = ["Format", "ResourceHandler", "json_response", "verb_of"]
