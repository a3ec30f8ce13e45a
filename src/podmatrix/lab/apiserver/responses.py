"""Answers in the form the client asked for: JSON, Table, metadata alone, or a stream."""

from collections.abc import AsyncIterator, Sequence

from aiohttp import web

from podmatrix.lab.apiserver.codec import GONE, accepted, encode
from podmatrix.lab.apiserver.objects import Json, Object
from podmatrix.lab.apiserver.resource import Resource
from podmatrix.lab.apiserver.tables import partial, table


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


def object_response(
    request: web.BaseRequest,
    resource: Resource,
    obj: Object,
    *,
    status: int = 200,
    warnings: Sequence[str] = (),
) -> web.Response:
    """One object. Raises ApiError 406."""
    wanted = accepted(request.headers.get("Accept", ""))
    value = resource.view(obj)
    if wanted.shape == "Table":
        metadata = {"resourceVersion": obj["metadata"].get("resourceVersion", "")}
        include = request.query.get("includeObject", "")
        value = table(resource, [obj], metadata=metadata, include=include)
    elif wanted.shape:
        value = partial(obj)
    return json_response(value, status=status, warnings=warnings)


def list_response(
    request: web.BaseRequest, resource: Resource, objects: Sequence[Object], metadata: Object
) -> web.Response:
    """Objects as a list, `metadata` being the list's. Raises ApiError 406."""
    wanted = accepted(request.headers.get("Accept", ""))
    if wanted.shape == "Table":
        include = request.query.get("includeObject", "")
        return json_response(table(resource, objects, metadata=metadata, include=include))
    head = {
        "kind": f"{resource.kind}List",
        "apiVersion": resource.api_version,
        "metadata": metadata,
    }
    if wanted.shape:
        head |= {"kind": "PartialObjectMetadataList", "apiVersion": "meta.k8s.io/v1"}
        return json_response({**head, "items": [partial(one) for one in objects]})
    return json_response({**head, "items": [_item(resource, one) for one in objects]})


def _item(resource: Resource, obj: Object) -> Object:
    """An element of a list: those of built-in kinds do not repeat their kind."""
    shown = resource.view(obj)
    if resource.custom:
        return shown
    return {key: value for key, value in shown.items() if key not in ("kind", "apiVersion")}


async def stream_response(
    request: web.BaseRequest, chunks: AsyncIterator[bytes], content_type: str = "application/json"
) -> web.StreamResponse:
    """Chunks as they come, until there are no more or the client has gone."""
    response = web.StreamResponse(headers={"Content-Type": content_type})
    response.enable_chunked_encoding()
    await response.prepare(request)
    try:
        async for chunk in chunks:
            await response.write(chunk)
        await response.write_eof()
    except GONE:
        return response  # nobody is left to be told
    return response
