"""Every kind the lab serves: the one list that routes, discovery and OpenAPI are made from."""

from collections.abc import Iterator

from podmatrix.lab.apiserver.kinds.event import EVENTS, NEW_EVENTS
from podmatrix.lab.apiserver.kinds.namespace import NAMESPACES
from podmatrix.lab.apiserver.kinds.node import NODES
from podmatrix.lab.apiserver.kinds.plain import (
    CONFIG_MAPS,
    DAEMON_SETS,
    IP_POOLS,
    LEASES,
    NETWORK_ATTACHMENT_DEFINITIONS,
    SELF_SUBJECT_ACCESS_REVIEWS,
    SERVICE_ACCOUNTS,
    SERVICE_CIDRS,
)
from podmatrix.lab.apiserver.kinds.pod import PODS
from podmatrix.lab.apiserver.resource import Resource

RESOURCES: tuple[Resource, ...] = (
    CONFIG_MAPS,
    EVENTS,
    NAMESPACES,
    NODES,
    PODS,
    SERVICE_ACCOUNTS,
    DAEMON_SETS,
    NEW_EVENTS,
    SELF_SUBJECT_ACCESS_REVIEWS,
    LEASES,
    SERVICE_CIDRS,
    IP_POOLS,
    NETWORK_ATTACHMENT_DEFINITIONS,
)

_BY_PATH = {(one.group, one.version, one.plural): one for one in RESOURCES}
_BY_KIND = {(one.api_version, one.kind): one for one in RESOURCES}


def find(group: str, version: str, plural: str) -> Resource | None:
    """The resource behind a path, or None."""
    return _BY_PATH.get((group, version, plural))


def of_kind(api_version: str, kind: str) -> Resource | None:
    """The resource of an object's apiVersion and kind, or None."""
    return _BY_KIND.get((api_version, kind))


def groups() -> dict[str, list[Resource]]:
    """The resources by group and version (`v1`, `apps/v1`), in their order."""
    found: dict[str, list[Resource]] = {}
    for resource in RESOURCES:
        found.setdefault(resource.api_version, []).append(resource)
    return found


def stored() -> Iterator[Resource]:
    """The resources that have a store of their own, each once."""
    return (one for one in RESOURCES if one.stored and not one.storage)
