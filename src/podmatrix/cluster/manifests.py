"""Plain YAML plus profile -> the objects that are created. No I/O but reading the YAML.

Every object carries labels that say who made it and in which run: clean-up goes by them alone.
"""

import copy
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

import yaml

from podmatrix.cluster.client import HOSTNAME_LABEL
from podmatrix.errors import TestbedError
from podmatrix.model import PodRole
from podmatrix.profile import DEFAULT_NETWORK, Network, Profile

MANIFESTS = Path(__file__).resolve().parents[3] / "manifests"
"""They belong to the checkout, not to the installed package."""

MANAGED_BY_LABEL = "app.kubernetes.io/managed-by"
MANAGER = "podmatrix"
RUN_LABEL = "podmatrix.io/run"
KIND_LABEL = "podmatrix.io/kind"
SLOT_LABEL = "podmatrix.io/slot"

DEFAULT_NETWORK_ANNOTATION = "v1.multus-cni.io/default-network"
NETWORKS_ANNOTATION = "k8s.v1.cni.cncf.io/networks"
POD_SECURITY_LABEL = "pod-security.kubernetes.io/enforce"

CONTAINER = "probe"


def run_labels(run_id: str) -> dict[str, str]:
    """The labels of everything a run makes."""
    return {MANAGED_BY_LABEL: MANAGER, RUN_LABEL: run_id}


def namespace_manifest(name: str, run_id: str, *, host_network: bool) -> dict[str, Any]:
    """A namespace of our own. Pod Security `baseline` takes probe pods, except on hostNetwork."""
    level = "privileged" if host_network else "baseline"
    labels = {**run_labels(run_id), POD_SECURITY_LABEL: level}
    return {
        "apiVersion": "v1",
        "kind": "Namespace",
        "metadata": {"name": name, "labels": labels},
    }


def pod_manifest(
    profile: Profile,
    role: PodRole,
    *,
    namespace: str,
    hostname: str,
    image: str,
    run_id: str,
    nads: Mapping[str, str] | None = None,
) -> dict[str, Any]:
    """The pod of one role, pinned to the node whose kubernetes.io/hostname label is `hostname`.

    `nads` maps `namespace/name` of a NetworkAttachmentDefinition to the one that stands in for it.
    """
    pod = _load("probe-pod.yaml")
    labels = {**run_labels(run_id), KIND_LABEL: role.kind, SLOT_LABEL: role.slot}
    pod["metadata"] = {"name": role.id, "namespace": namespace, "labels": labels}
    annotations = network_annotations(profile, role, nads or {})
    if annotations:
        pod["metadata"]["annotations"] = annotations
    spec = pod["spec"]
    spec["containers"][0]["image"] = image
    spec["affinity"] = {"nodeAffinity": _pinned_to(hostname)}
    if role.host_network:
        spec["hostNetwork"] = True
        spec["dnsPolicy"] = "ClusterFirstWithHostNet"
        del spec["securityContext"]
    return pod


def network_annotations(profile: Profile, role: PodRole, nads: Mapping[str, str]) -> dict[str, str]:
    """What Multus is asked for; empty for a pod on the cluster's default network alone."""
    annotations = {}
    selections = []
    for position, (interface, name) in enumerate(role.interfaces):
        attach = profile.networks[name].attach
        reference = attach.default if position == 0 else attach.secondary
        if reference == DEFAULT_NETWORK:
            continue
        reference = nads.get(reference, reference)
        if position == 0:
            annotations[DEFAULT_NETWORK_ANNOTATION] = reference
        # Multus names the n-th added interface net<n> by itself.
        elif interface == f"net{position}":
            selections.append(reference)
        else:
            selections.append(f"{reference}@{interface}")
    if selections:
        annotations[NETWORKS_ANNOTATION] = ",".join(selections)
    return annotations


def nad_manifest(
    profile: Profile, reference: str, *, namespace: str, run_id: str
) -> dict[str, Any]:
    """A NetworkAttachmentDefinition that stands in for the missing `reference`, in `namespace`.

    Raises TestbedError where the profile's network is not Flannel: what would be in it is unknown.
    """
    network = _network_of(profile, reference)
    if not can_stand_in(profile, reference):
        raise TestbedError(
            f"NetworkAttachmentDefinition {reference} is missing, and only one for Flannel can be "
            f"made here (the profile says cni: {network.cni}); apply it, then run again"
        )
    nad = _load("flannel-conf.yaml")
    if reference != network.attach.default and network.attach.default != DEFAULT_NETWORK:
        # A second default route breaks the first one's pods, and an IPAM store of another name
        # gives out the same addresses again: no gateway, and the first one's network name.
        name = network.attach.default.partition("/")[2]
        nad["spec"]["config"] = (
            f'{{"cniVersion":"0.3.0","name":"{name}","type":"flannel",'
            '"delegate":{"isDefaultGateway":false}}'
        )
    name = reference.partition("/")[2]
    nad["metadata"] = {"name": name, "namespace": namespace, "labels": run_labels(run_id)}
    return nad


def can_stand_in(profile: Profile, reference: str) -> bool:
    """Whether nad_manifest() knows what a missing `reference` should hold."""
    return _network_of(profile, reference).cni == "flannel"


def needed_nads(profile: Profile) -> tuple[str, ...]:
    """The NetworkAttachmentDefinitions that the profile's pods ask for, in order of first use."""
    wanted: dict[str, None] = {}
    for pod in profile.pods.values():
        for position, name in enumerate(pod.interfaces.values()):
            attach = profile.networks[name].attach
            wanted[attach.default if position == 0 else attach.secondary] = None
    return tuple(reference for reference in wanted if reference != DEFAULT_NETWORK)


def _network_of(profile: Profile, reference: str) -> Network:
    return next(
        network
        for network in profile.networks.values()
        if reference in (network.attach.default, network.attach.secondary)
    )


def _pinned_to(hostname: str) -> dict[str, Any]:
    term = {"matchExpressions": [{"key": HOSTNAME_LABEL, "operator": "In", "values": [hostname]}]}
    return {"requiredDuringSchedulingIgnoredDuringExecution": {"nodeSelectorTerms": [term]}}


def _load(name: str) -> dict[str, Any]:
    return copy.deepcopy(_parsed(name))


@cache
def _parsed(name: str) -> dict[str, Any]:
    path = MANIFESTS / name
    try:
        document = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, yaml.YAMLError) as exc:
        raise TestbedError(f"{path}: cannot be read, {exc}; run from a whole checkout") from exc
    if not isinstance(document, dict):
        raise TestbedError(f"{path}: holds no object; restore it from the repository")
    return document
