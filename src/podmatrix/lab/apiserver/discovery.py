"""What the server says of itself: versions, groups and resources, in both forms kubectl knows."""

import platform

from podmatrix.lab.apiserver import registry
from podmatrix.lab.apiserver.objects import Object
from podmatrix.lab.apiserver.resource import Resource
from podmatrix.lab.apiserver.status import no_such_resource


def version_info(git_version: str) -> Object:
    """/version."""
    major, minor, *_ = git_version.removeprefix("v").split(".")
    machine = {"x86_64": "amd64", "aarch64": "arm64"}.get(platform.machine(), platform.machine())
    return {
        "major": major,
        "minor": minor,
        "gitVersion": git_version,
        "gitCommit": "",
        "gitTreeState": "",
        "buildDate": "1970-01-01T00:00:00Z",
        "goVersion": "",
        "compiler": "",
        "platform": f"linux/{machine}",
    }


def api_versions(server: str) -> Object:
    """/api: the core group."""
    address = {"clientCIDR": "0.0.0.0/0", "serverAddress": server}
    return {"kind": "APIVersions", "versions": ["v1"], "serverAddressByClientCIDRs": [address]}


def _group(name: str) -> Object:
    versions = [
        {"groupVersion": resources[0].api_version, "version": resources[0].version}
        for resources in registry.groups().values()
        if resources[0].group == name
    ]
    return {"name": name, "versions": versions, "preferredVersion": versions[0]}


def _group_names() -> list[str]:
    return [resources[0].group for resources in registry.groups().values() if resources[0].group]


def api_group_list() -> Object:
    """/apis."""
    return {"kind": "APIGroupList", "apiVersion": "v1", "groups": [*map(_group, _group_names())]}


def api_group(name: str) -> Object:
    """/apis/GROUP. Raises ApiError 404."""
    if name not in _group_names():
        raise no_such_resource()
    return {"kind": "APIGroup", "apiVersion": "v1", **_group(name)}


def api_resource_list(api_version: str) -> Object:
    """/api/v1 or /apis/GROUP/VERSION. Raises ApiError 404."""
    resources = registry.groups().get(api_version)
    if resources is None:
        raise no_such_resource()
    listed = [entry for resource in resources for entry in _entries(resource)]
    head = {"kind": "APIResourceList", "apiVersion": "v1", "groupVersion": api_version}
    return {**head, "resources": listed}


def _entries(resource: Resource) -> list[Object]:
    entry: Object = {
        "name": resource.plural,
        "singularName": resource.singular,
        "namespaced": resource.namespaced,
        "kind": resource.kind,
        "verbs": list(resource.verbs),
    }
    if resource.short_names:
        entry["shortNames"] = list(resource.short_names)
    if resource.categories:
        entry["categories"] = list(resource.categories)
    return [entry] + [
        {
            "name": f"{resource.plural}/{one.name}",
            "singularName": "",
            "namespaced": resource.namespaced,
            "kind": one.kind,
            "verbs": list(one.verbs),
        }
        for one in resource.subresources
    ]


def aggregated(*, core: bool) -> Object:
    """The APIGroupDiscoveryList (apidiscovery.k8s.io/v2) of /api or /apis: all in one answer."""
    items = []
    for resources in registry.groups().values():
        group, version = resources[0].group, resources[0].version
        if bool(group) is not core:
            listed = [_aggregated_resource(resource) for resource in resources]
            fresh = {"version": version, "freshness": "Current", "resources": listed}
            metadata: Object = {"creationTimestamp": None}
            if group:
                metadata["name"] = group
            items.append({"metadata": metadata, "versions": [fresh]})
    return {
        "kind": "APIGroupDiscoveryList",
        "apiVersion": "apidiscovery.k8s.io/v2",
        "metadata": {},
        "items": items,
    }


def _kind(resource: Resource, kind: str) -> Object:
    return {"group": resource.group, "version": resource.version, "kind": kind}


def _aggregated_resource(resource: Resource) -> Object:
    entry: Object = {
        "resource": resource.plural,
        "responseKind": _kind(resource, resource.kind),
        "scope": "Namespaced" if resource.namespaced else "Cluster",
        "singularResource": resource.singular,
        "verbs": list(resource.verbs),
    }
    if resource.short_names:
        entry["shortNames"] = list(resource.short_names)
    if resource.categories:
        entry["categories"] = list(resource.categories)
    if resource.subresources:
        entry["subresources"] = [
            {
                "subresource": one.name,
                "responseKind": _kind(resource, one.kind),
                "verbs": list(one.verbs),
            }
            for one in resource.subresources
        ]
    return entry
