"""Pods: what the real API server fills in, and the resource."""

from collections.abc import Callable
from typing import TYPE_CHECKING

from podmatrix.lab.apiserver.kinds.columns import METADATA_LABELS
from podmatrix.lab.apiserver.kinds.pod_columns import POD_COLUMNS
from podmatrix.lab.apiserver.kinds.pod_rules import pod_causes
from podmatrix.lab.apiserver.objects import Object, name_of, namespace_of
from podmatrix.lab.apiserver.resource import Resource, Subresource
from podmatrix.lab.apiserver.status import forbidden

if TYPE_CHECKING:
    from podmatrix.lab.apiserver.store import Store

_SPEC_DEFAULTS = {
    "dnsPolicy": "ClusterFirst",
    "enableServiceLinks": True,
    "preemptionPolicy": "PreemptLowerPriority",
    "priority": 0,
    "restartPolicy": "Always",
    "schedulerName": "default-scheduler",
    "terminationGracePeriodSeconds": 30,
}
_NO_EXECUTE = ("node.kubernetes.io/not-ready", "node.kubernetes.io/unreachable")


def set_pod_defaults(pod: Object) -> None:
    """Fill in what SetDefaults_Pod and the admission plugins of a real API server fill in.

    One thing is left out: the projected `kube-api-access` volume, since the lab mounts none.
    """
    spec = pod.setdefault("spec", {})
    for key, value in _SPEC_DEFAULTS.items():
        spec.setdefault(key, value)
    if spec.get("securityContext") is None:
        spec["securityContext"] = {}
    account = spec.get("serviceAccountName") or spec.get("serviceAccount") or "default"
    spec["serviceAccount"] = spec["serviceAccountName"] = account
    for container in [*(spec.get("initContainers") or []), *(spec.get("containers") or [])]:
        _set_container_defaults(container, host_network=bool(spec.get("hostNetwork")))
    tolerations = spec.setdefault("tolerations", [])
    known = {(one.get("key"), one.get("effect")) for one in tolerations}
    tolerations.extend(
        {"effect": "NoExecute", "key": key, "operator": "Exists", "tolerationSeconds": 300}
        for key in _NO_EXECUTE
        if not known & {(key, "NoExecute"), (key, None), (None, "NoExecute"), (None, None)}
    )
    pod["status"] = {"phase": "Pending", "qosClass": qos_class(spec)}


def _set_container_defaults(container: Object, *, host_network: bool) -> None:
    image = str(container.get("image") or "")
    tag = image.rpartition("/")[2].partition(":")[2]
    latest = "@" not in image and tag in ("", "latest")
    container.setdefault("imagePullPolicy", "Always" if latest else "IfNotPresent")
    if container.get("resources") is None:
        container["resources"] = {}
    container.setdefault("terminationMessagePath", "/dev/termination-log")
    container.setdefault("terminationMessagePolicy", "File")
    for port in container.get("ports") or []:
        port.setdefault("protocol", "TCP")
        if host_network and port.get("containerPort"):
            port.setdefault("hostPort", port["containerPort"])


def qos_class(spec: Object) -> str:
    """BestEffort, Burstable or Guaranteed, from the resources of the containers."""
    resources: list[Object] = [one.get("resources") or {} for one in spec.get("containers") or []]
    if not any(one.get("requests") or one.get("limits") for one in resources):
        return "BestEffort"
    for one in resources:
        limits = one.get("limits") or {}
        if set(limits) != {"cpu", "memory"} or (one.get("requests") or limits) != limits:
            return "Burstable"
    return "Guaranteed"


def admit_pod(store: "Store", pod: Object) -> None:
    """Its service account must exist. Raises ApiError 403 as the ServiceAccount plugin does."""
    namespace, name = namespace_of(pod), name_of(pod)
    account = pod["spec"]["serviceAccountName"]
    if store.get("serviceaccounts", namespace, account) is None:
        why = (
            f"error looking up service account {namespace}/{account}: "
            f'serviceaccount "{account}" not found'
        )
        raise forbidden("pods", name, why)


def _status(key: str) -> Callable[[Object], str]:
    return lambda pod: str(pod.get("status", {}).get(key) or "")


def _spec(key: str) -> Callable[[Object], str]:
    return lambda pod: str(pod.get("spec", {}).get(key) or "")


PODS = Resource(
    group="",
    version="v1",
    plural="pods",
    singular="pod",
    kind="Pod",
    namespaced=True,
    short_names=("po",),
    categories=("all",),
    subresources=(
        Subresource(name="exec", kind="PodExecOptions", verbs=("create", "get")),
        Subresource(name="log", kind="Pod", verbs=("get",)),
        Subresource(name="status", kind="Pod", verbs=("get", "patch", "update")),
    ),
    columns=POD_COLUMNS,
    field_labels={
        **METADATA_LABELS,
        "spec.nodeName": _spec("nodeName"),
        "spec.restartPolicy": _spec("restartPolicy"),
        "spec.schedulerName": _spec("schedulerName"),
        "spec.serviceAccountName": _spec("serviceAccountName"),
        "spec.hostNetwork": lambda pod: "true" if pod["spec"].get("hostNetwork") else "false",
        "status.phase": _status("phase"),
        "status.podIP": _status("podIP"),
        "status.nominatedNodeName": _status("nominatedNodeName"),
    },
    schema="io.k8s.api.core.v1.Pod",
    set_defaults=set_pod_defaults,
    validate=pod_causes,
    admit=admit_pod,
    generation=True,
    graceful=True,
)
