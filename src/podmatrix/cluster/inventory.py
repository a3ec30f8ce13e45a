"""What a cluster says of its networks: pools, daemons, Flannel's and the services' addresses.

Read-only. Each function returns None where the cluster has no such thing, and raises StatusError
403 where it may not be read: neither is an empty list.
"""

import json
from collections.abc import Mapping
from typing import Any

from podmatrix.cluster.client import RAW, Call, Cluster, apps_api, core_api, custom_api
from podmatrix.cluster.failures import StatusError
from podmatrix.errors import ClusterError

Object = dict[str, Any]

CALICO_RESOURCES = (("crd.projectcalico.org", "v1"), ("projectcalico.org", "v3"))
"""Where Calico keeps its pools, and where its own API server shows them."""


class MalformedError(ClusterError):
    """An object of the cluster does not hold what its kind promises."""


def ip_pools(cluster: Cluster) -> dict[str, str] | None:
    """Calico's enabled IPPools: name -> CIDR."""
    found = None
    for resource in CALICO_RESOURCES:
        if found is None:
            found = _items(cluster, "list Calico's IPPools", _pools_of(*resource))
    if found is None:
        return None
    specs = {item["metadata"]["name"]: item.get("spec") or {} for item in found}
    return {name: spec["cidr"] for name, spec in specs.items() if not spec.get("disabled")}


def flannel_network(cluster: Cluster) -> dict[str, str] | None:
    """Flannel's cluster-wide networks: ConfigMap -> CIDR, wherever it is installed."""
    found = _items(
        cluster,
        "list the ConfigMaps labelled app=flannel",
        lambda api: core_api(api).list_config_map_for_all_namespaces(
            label_selector="app=flannel", **RAW
        ),
    )
    networks: dict[str, str] = {}
    for item in found or ():
        text = (item.get("data") or {}).get("net-conf.json")
        if text is not None:
            networks |= _net_conf(text, f"ConfigMap {name_of(item)}")
    return networks or None


def service_cidrs(cluster: Cluster) -> dict[str, str] | None:
    """The services' addresses: name -> CIDR, from ServiceCIDRs (1.33 and newer).

    Older clusters tell them only by the flags of a kube-apiserver that runs as a pod.
    """
    found = _items(
        cluster,
        "list the ServiceCIDRs",
        lambda api: custom_api(api).list_cluster_custom_object(
            "networking.k8s.io", "v1", "servicecidrs", **RAW
        ),
    )
    if found is None:
        return _service_cidrs_by_flag(cluster)
    return {
        f"{item['metadata']['name']}[{number}]": cidr
        for item in found
        for number, cidr in enumerate((item.get("spec") or {}).get("cidrs") or ())
    }


def _service_cidrs_by_flag(cluster: Cluster) -> dict[str, str] | None:
    found = _items(
        cluster,
        "list the pods labelled component=kube-apiserver",
        lambda api: core_api(api).list_namespaced_pod(
            "kube-system", label_selector="component=kube-apiserver", **RAW
        ),
    )
    flag = "--service-cluster-ip-range="
    for item in found or ():
        for container in (item.get("spec") or {}).get("containers") or ():
            for word in (*(container.get("command") or ()), *(container.get("args") or ())):
                if word.startswith(flag):
                    cidrs = word.removeprefix(flag).split(",")
                    return {f"{flag}[{number}]": cidr for number, cidr in enumerate(cidrs)}
    return None


def daemon_sets(cluster: Cluster, selector: str) -> list[Object] | None:
    """DaemonSets by label in all namespaces; None where there is none."""
    found = _items(
        cluster,
        f"list the DaemonSets labelled {selector}",
        lambda api: apps_api(api).list_daemon_set_for_all_namespaces(
            label_selector=selector, **RAW
        ),
    )
    return found or None


def daemon_pods(cluster: Cluster, daemon_set: Mapping[str, Any]) -> list[Object]:
    """The pods of a DaemonSet."""
    namespace = daemon_set["metadata"]["namespace"]
    labels = ((daemon_set.get("spec") or {}).get("selector") or {}).get("matchLabels") or {}
    selector = ",".join(f"{key}={value}" for key, value in labels.items())
    found = _items(
        cluster,
        f"list the pods of DaemonSet {name_of(daemon_set)}",
        lambda api: core_api(api).list_namespaced_pod(namespace, label_selector=selector, **RAW),
    )
    return found or []


def _pools_of(group: str, version: str) -> Call:
    return lambda api: custom_api(api).list_cluster_custom_object(group, version, "ippools", **RAW)


def _items(cluster: Cluster, what: str, call: Call) -> list[Object] | None:
    try:
        return list(cluster.read(what, call).get("items") or ())
    except StatusError as exc:
        if exc.status == 404:
            return None
        raise


def _net_conf(text: str, where: str) -> dict[str, str]:
    try:
        conf = json.loads(text)
        keys = [key for key in ("Network", "IPv6Network") if conf.get(key)]
        return {f"{where} {key}": str(conf[key]) for key in keys}
    except (ValueError, AttributeError) as exc:
        raise MalformedError(f"{where}: net-conf.json cannot be read, {exc}; correct it") from exc


def name_of(item: Mapping[str, Any]) -> str:
    """`namespace/name` of an object."""
    return f"{item['metadata']['namespace']}/{item['metadata']['name']}"
