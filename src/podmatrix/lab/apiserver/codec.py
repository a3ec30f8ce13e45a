"""Bodies: what comes in as JSON, YAML or protobuf, what goes out as JSON or as a Table."""

import json
from collections.abc import Sequence
from dataclasses import dataclass

import yaml
from aiohttp import ClientConnectionError

from podmatrix.lab.apiserver import protobuf
from podmatrix.lab.apiserver.objects import Json, Object, name_of
from podmatrix.lab.apiserver.resource import Resource
from podmatrix.lab.apiserver.schema import Decoder, TypeMismatch, describe, json_object
from podmatrix.lab.apiserver.status import (
    Cause,
    bad_request,
    invalid,
    not_acceptable,
    unsupported_media_type,
)

JSON = "application/json"
GONE = (ConnectionError, ClientConnectionError)
"""What aiohttp raises where a client has gone, while it is written to or waited for."""

PROTOBUF = "application/vnd.kubernetes.protobuf"
_READ = (JSON, "application/yaml", PROTOBUF)


@dataclass(frozen=True, slots=True, kw_only=True)
class Format:
    """What a client wants: `shape` is "" for the object, else Table or PartialObjectMetadata."""

    shape: str = ""


def encode(value: Json) -> bytes:
    """Compact JSON."""
    return json.dumps(value, separators=(",", ":")).encode()


def accepted(header: str) -> Format:
    """The first format of an Accept header that is served. Raises ApiError 406."""
    for media_range in header.split(",") if header else ("*/*",):
        kind, *parameters = (part.strip() for part in media_range.split(";"))
        if kind not in (JSON, "application/*", "*/*"):
            continue
        wanted = dict(part.split("=", 1) for part in parameters if "=" in part)
        shape, group = wanted.get("as", ""), wanted.get("g", "")
        if not shape:
            return Format()
        if group == "meta.k8s.io" and wanted.get("v") == "v1":
            return Format(shape=shape.removesuffix("List"))
    raise not_acceptable((JSON,))


def read_body(body: bytes, content_type: str, kind: str) -> Json:
    """The JSON value of a body. Raises ApiError 400 or 415."""
    media_type = content_type.partition(";")[0].strip()
    if media_type == PROTOBUF:
        return protobuf.decode(body)
    if media_type not in (*_READ, ""):
        raise unsupported_media_type(_READ)
    try:
        if media_type == "application/yaml":
            return yaml.safe_load(body)
        return json.loads(body, object_pairs_hook=json_object)
    except (ValueError, yaml.YAMLError) as exc:
        shown = body[:24].decode(errors="replace") or "<empty>"
        raise bad_request(
            f"the object provided is unrecognized (must be of type {kind}): "
            f"couldn't get version/kind; json parse error: {exc} ({shown})"
        ) from exc


def read_object(value: Json, resource: Resource) -> tuple[Object, Sequence[str]]:
    """An object of a resource's kind, and what strict decoding has against it. Raises ApiError."""
    version = (
        f'{resource.kind} in version "{resource.version}" cannot be handled as a {resource.kind}'
    )
    if not isinstance(value, dict):
        raise bad_request(
            f"the object provided is unrecognized (must be of type {resource.kind}): couldn't get "
            f"version/kind; json parse error: cannot unmarshal {describe(value)} into an object"
        )
    kind, api_version = value.get("kind"), value.get("apiVersion")
    if kind not in (None, "", resource.kind) or api_version not in (None, "", resource.api_version):
        raise bad_request(
            f'{kind} in version "{str(api_version).rpartition("/")[2]}" cannot be handled as a '
            f"{resource.kind}: converting ({api_version}.{kind}) to "
            f"({resource.group or 'core'}.{resource.kind}): unknown conversion"
        )
    decoder = Decoder()
    try:
        decoded = decoder.decode(value, resource.schema)
    except TypeMismatch as exc:
        if resource.custom and not exc.indexed.startswith("metadata"):
            raise _wrong_in_body(exc, resource, value) from exc
        raise bad_request(f"{version}: {exc}") from exc
    found = {**decoded, "apiVersion": resource.api_version, "kind": resource.kind}
    return {**found, "metadata": decoded.get("metadata") or {}}, decoder.complaints()


def strict(resource: Resource, complaints: Sequence[str]) -> Exception:
    """The 400 of fieldValidation=Strict."""
    return bad_request(
        f'{resource.kind} in version "{resource.version}" cannot be handled as a {resource.kind}: '
        f"strict decoding error: {', '.join(complaints)}"
    )


def _wrong_in_body(exc: TypeMismatch, resource: Resource, value: Object) -> Exception:
    """The 422 of a custom resource, in the words of its structural schema."""
    have = {"number": "integer"}.get(describe(exc.value), describe(exc.value))
    message = (
        f'Invalid value: "{have}": {exc.indexed} in body must be of type {exc.go_type}: "{have}"'
    )
    cause = Cause(reason="FieldValueTypeInvalid", message=message, field=exc.indexed)
    return invalid(resource.kind, name_of(value), [cause], resource.group)
