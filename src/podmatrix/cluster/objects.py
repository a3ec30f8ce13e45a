"""The few requests a testbed needs, each one function: JSON in, JSON out, own errors only."""

from collections.abc import Iterator, Mapping
from typing import Any

from podmatrix.cluster.client import CONNECT_TIMEOUT_S, RAW, Cluster, core_api, custom_api
from podmatrix.cluster.failures import StatusError

NAD_RESOURCE = ("k8s.cni.cncf.io", "v1")
NAD_PLURAL = "network-attachment-definitions"

Object = dict[str, Any]


def create_namespace(cluster: Cluster, manifest: Mapping[str, Any]) -> Object:
    """Raises StatusError 409 where it exists."""
    return cluster.read(
        f"create namespace {manifest['metadata']['name']}",
        lambda api: core_api(api).create_namespace(manifest, **RAW),
    )


def read_namespace(cluster: Cluster, name: str) -> Object | None:
    """The namespace, or None where there is none."""
    return _unless_missing(
        cluster,
        f"read namespace {name}",
        lambda api: core_api(api).read_namespace(name, **RAW),
    )


def delete_namespace(cluster: Cluster, name: str, uid: str) -> None:
    """Ask for its removal; nothing happens where it is another one, or none."""
    body = {"preconditions": {"uid": uid}}
    _unless_missing(
        cluster,
        f"delete namespace {name}",
        lambda api: core_api(api).delete_namespace(name, body=body, **RAW),
    )


def create_pod(cluster: Cluster, manifest: Mapping[str, Any]) -> Object:
    """Raises StatusError 409 where it exists."""
    name, namespace = manifest["metadata"]["name"], manifest["metadata"]["namespace"]
    return cluster.read(
        f"create pod {namespace}/{name}",
        lambda api: core_api(api).create_namespaced_pod(namespace, manifest, **RAW),
    )


def list_pods(cluster: Cluster, namespace: str, selector: str) -> tuple[list[Object], str]:
    """Pods by label, and the resourceVersion from which to watch them."""
    document = cluster.read(
        f"list the pods of namespace {namespace}",
        lambda api: core_api(api).list_namespaced_pod(namespace, label_selector=selector, **RAW),
    )
    version = (document.get("metadata") or {}).get("resourceVersion", "")
    return list(document.get("items") or ()), str(version)


def watch_pods(
    cluster: Cluster, namespace: str, selector: str, version: str, *, timeout_s: float
) -> Iterator[tuple[str, Object]]:
    """Type and pod of each change; ends after `timeout_s` (whole seconds).

    Raises ClusterError where the watch is cut or too old (410): list again then.
    """
    from kubernetes import watch

    seconds = max(1, round(timeout_s))
    with cluster.errors(f"watch the pods of namespace {namespace}"):
        untyped: Any = watch.Watch
        events = untyped(return_type="object").stream(
            core_api(cluster.api).list_namespaced_pod,
            namespace,
            label_selector=selector,
            resource_version=version,
            timeout_seconds=seconds,
            _request_timeout=(CONNECT_TIMEOUT_S, seconds + 10),
        )
        for event in events:
            yield str(event["type"]), event["raw_object"]


def delete_pod(cluster: Cluster, pod: Object) -> None:
    """Remove exactly this pod, at once; nothing happens where it is gone."""
    metadata = pod["metadata"]
    name, namespace = metadata["name"], metadata["namespace"]
    body = {"gracePeriodSeconds": 0, "preconditions": {"uid": metadata["uid"]}}
    _unless_missing(
        cluster,
        f"delete pod {namespace}/{name}",
        lambda api: core_api(api).delete_namespaced_pod(name, namespace, body=body, **RAW),
    )


def pod_events(cluster: Cluster, namespace: str, pod: str) -> list[Object]:
    """The events of one pod, oldest first."""
    selector = f"involvedObject.kind=Pod,involvedObject.name={pod}"
    document = cluster.read(
        f"list the events of pod {namespace}/{pod}",
        lambda api: core_api(api).list_namespaced_event(namespace, field_selector=selector, **RAW),
    )
    return sorted(document.get("items") or (), key=_event_time)


def read_nad(cluster: Cluster, reference: str) -> Object | None:
    """The NetworkAttachmentDefinition `namespace/name`, or None where there is none."""
    namespace, _, name = reference.partition("/")
    return _unless_missing(
        cluster,
        f"read NetworkAttachmentDefinition {reference}",
        lambda api: custom_api(api).get_namespaced_custom_object(
            *NAD_RESOURCE, namespace, NAD_PLURAL, name, **RAW
        ),
    )


def create_nad(cluster: Cluster, manifest: Mapping[str, Any]) -> Object:
    """Raises StatusError 404 where the cluster does not know the resource."""
    name, namespace = manifest["metadata"]["name"], manifest["metadata"]["namespace"]
    return cluster.read(
        f"create NetworkAttachmentDefinition {namespace}/{name}",
        lambda api: custom_api(api).create_namespaced_custom_object(
            *NAD_RESOURCE, namespace, NAD_PLURAL, manifest, **RAW
        ),
    )


def list_nads(cluster: Cluster, namespace: str, selector: str) -> list[Object]:
    """NetworkAttachmentDefinitions by label; none where the cluster does not know the resource."""
    document = _unless_missing(
        cluster,
        f"list the NetworkAttachmentDefinitions of namespace {namespace}",
        lambda api: custom_api(api).list_namespaced_custom_object(
            *NAD_RESOURCE, namespace, NAD_PLURAL, label_selector=selector, **RAW
        ),
    )
    return list((document or {}).get("items") or ())


def delete_nad(cluster: Cluster, nad: Object) -> None:
    """Remove exactly this one; nothing happens where it is gone."""
    metadata = nad["metadata"]
    name, namespace = metadata["name"], metadata["namespace"]
    body = {"preconditions": {"uid": metadata["uid"]}}
    _unless_missing(
        cluster,
        f"delete NetworkAttachmentDefinition {namespace}/{name}",
        lambda api: custom_api(api).delete_namespaced_custom_object(
            *NAD_RESOURCE, namespace, NAD_PLURAL, name, body=body, **RAW
        ),
    )


def _unless_missing(cluster: Cluster, what: str, call: Any) -> Object | None:  # noqa: ANN401
    try:
        return cluster.read(what, call)
    except StatusError as exc:
        # 409 to a delete: another object has the name by now, ours is gone.
        if exc.status == 404 or (exc.status == 409 and what.startswith("delete")):
            return None
        raise


def _event_time(event: Object) -> str:
    """RFC 3339 sorts as text; which field is set depends on who wrote the event."""
    return str(
        event.get("lastTimestamp")
        or event.get("eventTime")
        or event["metadata"].get("creationTimestamp")
        or ""
    )
