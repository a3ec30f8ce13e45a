"""What a path asks for: k8s.io/apiserver/pkg/endpoints/request.RequestInfo."""

from collections.abc import Mapping
from dataclasses import dataclass

from podmatrix.lab.apiserver import registry
from podmatrix.lab.apiserver.resource import Resource
from podmatrix.lab.apiserver.status import ApiError, bad_request, no_such_resource


@dataclass(frozen=True, slots=True, kw_only=True)
class RequestInfo:
    """A resource, or one object of it, or a subresource of that. `namespace` "" is all of them."""

    resource: Resource
    namespace: str = ""
    name: str = ""
    subresource: str = ""


def request_info(path: str) -> RequestInfo:
    """The resource behind `/api/v1/...` or `/apis/GROUP/VERSION/...`. Raises ApiError 404."""
    parts = [part for part in path.split("/") if part]
    group = "" if parts[0] == "api" else parts[1]
    version, *rest = parts[1:] if parts[0] == "api" else parts[2:]
    namespace = ""
    if len(rest) > 2 and rest[0] == "namespaces" and rest[2] not in ("status", "finalize"):
        namespace, rest = rest[1], rest[2:]
    if not 1 <= len(rest) <= 3:
        raise no_such_resource()
    name, subresource = (*rest[1:], "", "")[:2]
    resource = registry.find(group, version, rest[0])
    if resource is None or (namespace and not resource.namespaced):
        raise no_such_resource()
    if resource.namespaced and name and not namespace:
        raise no_such_resource()
    if subresource and resource.subresource(subresource) is None:
        raise no_such_resource()
    return RequestInfo(resource=resource, namespace=namespace, name=name, subresource=subresource)


def flag(query: Mapping[str, str], name: str) -> bool:
    """A boolean of a query, as Go reads it: absent, "0" and "false" are false."""
    return query.get(name, "false").lower() not in ("", "0", "f", "false")


def number(query: Mapping[str, str], name: str) -> int | None:
    """A whole number of a query, None where it is absent. Raises ApiError 400."""
    text = query.get(name, "")
    try:
        return int(text) if text else None
    except ValueError as exc:
        raise bad_request(f'strconv.ParseInt: parsing "{text}": invalid syntax') from exc


def resource_version(query: Mapping[str, str]) -> int | None:
    """The resourceVersion of a query, None where it is absent. Raises ApiError 500 as real."""
    text = query.get("resourceVersion", "")
    if text and not text.isdigit():
        message = (
            f'resourceVersion: Invalid value: "{text}": strconv.ParseUint: '
            f'parsing "{text}": invalid syntax'
        )
        raise ApiError(500, "", message)
    return int(text) if text else None
