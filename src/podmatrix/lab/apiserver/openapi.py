"""/openapi/v3: what kubectl validates and merges with, made from the registry and the schemas."""

import hashlib
from collections.abc import Iterator

from podmatrix.lab.apiserver import registry
from podmatrix.lab.apiserver.codec import JSON, encode
from podmatrix.lab.apiserver.objects import Object
from podmatrix.lab.apiserver.patches import JSON_PATCH, MERGE_PATCH, STRATEGIC
from podmatrix.lab.apiserver.resource import Resource
from podmatrix.lab.apiserver.schema import Schema, schemas
from podmatrix.lab.apiserver.status import no_such_resource

_REF = "#/components/schemas/"
_METHODS = {
    "create": ("post", "post"),
    "list": ("get", "list"),
    "get": ("get", "get"),
    "update": ("put", "put"),
    "patch": ("patch", "patch"),
    "delete": ("delete", "delete"),
}


def _path(api_version: str) -> str:
    return f"apis/{api_version}" if "/" in api_version else f"api/{api_version}"


def index() -> Object:
    """/openapi/v3: the documents there are, with a hash each, by which clients cache them."""
    paths = {}
    for api_version in registry.groups():
        path = _path(api_version)
        digest = hashlib.sha256(encode(document(path))).hexdigest().upper()
        paths[path] = {"serverRelativeURL": f"/openapi/v3/{path}?hash={digest}"}
    return {"paths": paths}


def document(path: str) -> Object:
    """/openapi/v3/api/v1 or /openapi/v3/apis/GROUP/VERSION. Raises ApiError 404."""
    found = next((v for v in registry.groups() if _path(v) == path), None)
    if found is None:
        raise no_such_resource()
    resources = registry.groups()[found]
    paths: Object = {}
    for resource in resources:
        for at, verb in _routes(resource):
            method, action = _METHODS[verb]
            paths.setdefault(at, {})[method] = _operation(resource, verb, action)
    used = dict(_closure([one.schema for one in resources if one.schema]))
    return {
        "openapi": "3.0.0",
        "info": {"title": "podmatrix lab", "version": "unversioned"},
        "paths": paths,
        "components": {"schemas": used},
    }


def _routes(resource: Resource) -> Iterator[tuple[str, str]]:
    scope = "/namespaces/{namespace}" if resource.namespaced else ""
    base = f"/{_path(resource.api_version)}{scope}/{resource.plural}"
    for verb in resource.verbs:
        if verb in _METHODS:
            yield (base if verb in ("create", "list") else base + "/{name}"), verb


def _operation(resource: Resource, verb: str, action: str) -> Object:
    operation: Object = {
        "operationId": f"{verb}{resource.group.title().replace('.', '')}{resource.kind}",
        "responses": {"200": {"description": "OK", "content": _content((JSON,), resource)}},
        "x-kubernetes-action": action,
        "x-kubernetes-group-version-kind": {
            "group": resource.group,
            "kind": resource.kind,
            "version": resource.version,
        },
    }
    if verb in ("create", "update", "patch"):
        operation["parameters"] = [
            {"name": name, "in": "query", "schema": {"type": "string", "uniqueItems": True}}
            for name in ("dryRun", "fieldManager", "fieldValidation")
        ]
        known = (JSON_PATCH, MERGE_PATCH, *(() if resource.custom else (STRATEGIC,)))
        body = _content(known if verb == "patch" else (JSON,), resource)
        operation["requestBody"] = {"content": body, "required": True}
    return operation


def _content(types: tuple[str, ...], resource: Resource) -> Object:
    schema: Schema = {"$ref": _REF + resource.schema} if resource.schema else {"type": "object"}
    return {one: {"schema": schema} for one in types}


def _closure(names: list[str]) -> Iterator[tuple[str, Schema]]:
    """The schemas of these names and all that they refer to."""
    seen: set[str] = set()
    while names:
        name = names.pop()
        if name not in seen:
            seen.add(name)
            yield name, schemas()[name]
            names.extend(_references(schemas()[name]))


def _references(value: object) -> Iterator[str]:
    if isinstance(value, dict):
        for key, inner in value.items():
            if key == "$ref":
                yield str(inner).removeprefix(_REF)
            else:
                yield from _references(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from _references(inner)
