"""PATCH bodies: JSON patch (RFC 6902), merge patch (RFC 7386), strategic merge patch."""

from collections.abc import Callable
from copy import deepcopy

from podmatrix.lab.apiserver.objects import Json
from podmatrix.lab.apiserver.resource import Resource
from podmatrix.lab.apiserver.schema import Schema, schemas
from podmatrix.lab.apiserver.status import ApiError, bad_request, unsupported_media_type

JSON_PATCH = "application/json-patch+json"
MERGE_PATCH = "application/merge-patch+json"
STRATEGIC = "application/strategic-merge-patch+json"

_REF = "#/components/schemas/"


def patched(current: Json, patch: Json, content_type: str, resource: Resource) -> Json:
    """What the object is after the patch; `current` stays as it is. Raises ApiError."""
    media_type = content_type.partition(";")[0].strip()
    if media_type == JSON_PATCH:
        return json_patch(current, patch)
    if media_type not in (MERGE_PATCH, STRATEGIC) or (media_type == STRATEGIC and resource.custom):
        known = (
            (JSON_PATCH, MERGE_PATCH) if resource.custom else (JSON_PATCH, MERGE_PATCH, STRATEGIC)
        )
        raise unsupported_media_type(known)
    if not isinstance(patch, dict):
        raise bad_request("the patch is no JSON object")
    if media_type == MERGE_PATCH:
        return merge_patch(current, patch)
    return strategic_merge(current, patch, {"$ref": _REF + resource.schema})


def merge_patch(current: Json, patch: Json) -> Json:
    """RFC 7386: null takes away, objects merge, everything else replaces."""
    if not isinstance(patch, dict):
        return patch
    merged = dict(current) if isinstance(current, dict) else {}
    for key, value in patch.items():
        if value is None:
            merged.pop(key, None)
        else:
            merged[key] = merge_patch(merged.get(key), value)
    return merged


def json_patch(current: Json, operations: Json) -> Json:
    """RFC 6902. Raises ApiError: 400 for what is no patch, 422 where one does not apply."""
    if not isinstance(operations, list):
        raise bad_request("error decoding patch: the patch is no JSON array")
    document = deepcopy(current)
    for operation in operations:
        if not isinstance(operation, dict) or not isinstance(operation.get("path"), str):
            raise bad_request("error decoding patch: an operation has no path")
        try:
            document = _operate(document, operation)
        except (KeyError, IndexError, ValueError, TypeError) as exc:
            message = "the server rejected our request due to an error in our request"
            raise ApiError(422, "Invalid", message, details={}) from exc
    return document


def _operate(document: Json, operation: dict[str, Json]) -> Json:
    path, kind = operation["path"], operation.get("op")
    if kind == "test":
        if _read(document, path) != operation["value"]:
            raise ValueError(path)
        return document
    if kind in ("move", "copy"):
        value = deepcopy(_read(document, operation["from"]))
        if kind == "move":
            document = _at(document, operation["from"], lambda parent, key: parent.pop(key))
        return _add(document, path, value)
    if kind == "add":
        return _add(document, path, operation["value"])
    if kind == "remove":
        return _at(document, path, lambda parent, key: parent.pop(key))
    if kind == "replace":
        _read(document, path)
        value = operation["value"]
        return _at(document, path, lambda parent, key: parent.__setitem__(key, value))
    raise ValueError(f"unknown operation {kind}")


def _tokens(path: str) -> list[str]:
    return [one.replace("~1", "/").replace("~0", "~") for one in path.split("/")[1:]]


def _read(document: Json, path: str) -> Json:
    for token in _tokens(path):
        document = document[int(token) if isinstance(document, list) else token]
    return document


def _at(document: Json, path: str, change: Callable[[Json, Json], object]) -> Json:
    *parents, last = _tokens(path)
    parent = document
    for token in parents:
        parent = parent[int(token) if isinstance(parent, list) else token]
    change(parent, int(last) if isinstance(parent, list) else last)
    return document


def _add(document: Json, path: str, value: Json) -> Json:
    if not path:
        return value
    last = _tokens(path)[-1]
    parent = _read(document, path.rpartition("/")[0])
    if isinstance(parent, list):
        parent.insert(len(parent) if last == "-" else int(last), value)
    else:
        parent[last] = value
    return document


def strategic_merge(current: Json, patch: Json, schema: Schema | None) -> Json:
    """Merge as the schema says: lists with a patch-merge-key are merged by it, others replaced."""
    if not isinstance(patch, dict):
        return patch
    directive = patch.get("$patch")
    content = {key: value for key, value in patch.items() if not key.startswith("$")}
    if directive == "replace":
        return content
    merged = dict(current) if isinstance(current, dict) else {}
    for key, value in content.items():
        inner = _property(schema, key)
        if value is None or (isinstance(value, dict) and value.get("$patch") == "delete"):
            merged.pop(key, None)
        elif isinstance(value, list) and _merges(inner):
            merged[key] = _merge_list(merged.get(key) or [], value, inner or {})
        else:
            merged[key] = strategic_merge(merged.get(key), value, inner)
    for key, values in patch.items():
        if key.startswith("$deleteFromPrimitiveList/"):
            name = key.partition("/")[2]
            merged[name] = [one for one in merged.get(name) or [] if one not in values]
    return merged


def _resolved(schema: Schema | None) -> Schema | None:
    if schema is not None and "$ref" in schema:
        return schemas()[schema["$ref"].removeprefix(_REF)]
    return schema


def _property(schema: Schema | None, key: str) -> Schema | None:
    found = _resolved(schema) or {}
    extra = found.get("additionalProperties")
    inner = found.get("properties", {}).get(key) or (extra if isinstance(extra, dict) else None)
    return inner if isinstance(inner, dict) else None


def _merges(schema: Schema | None) -> bool:
    return "merge" in str((schema or {}).get("x-kubernetes-patch-strategy", ""))


def _merge_list(current: list[Json], patch: list[Json], schema: Schema) -> list[Json]:
    key = schema.get("x-kubernetes-patch-merge-key")
    if key is None:
        return current + [one for one in patch if one not in current]
    if any(isinstance(one, dict) and one.get("$patch") == "replace" for one in patch):
        return [one for one in patch if "$patch" not in one]
    merged = list(current)
    for one in patch:
        if not isinstance(one, dict) or key not in one:
            raise bad_request(f"map: {one} does not contain declared merge key: {key}")
        at = next((n for n, have in enumerate(merged) if have.get(key) == one[key]), None)
        if one.get("$patch") == "delete":
            if at is not None:
                del merged[at]
        elif at is None:
            merged.append(strategic_merge({}, one, schema.get("items")))
        else:
            merged[at] = strategic_merge(merged[at], one, schema.get("items"))
    return merged
