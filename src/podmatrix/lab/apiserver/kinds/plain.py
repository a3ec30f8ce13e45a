"""The kinds that are only kept: they have names, columns and little else."""

import re
from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Any

from podmatrix.lab.apiserver.kinds.columns import (
    AGE,
    METADATA_LABELS,
    NAME,
    NAME_AND_AGE,
    NONE,
    joined,
)
from podmatrix.lab.apiserver.kinds.names import metadata_causes
from podmatrix.lab.apiserver.objects import Object
from podmatrix.lab.apiserver.resource import READ, Column, Resource, Subresource
from podmatrix.lab.apiserver.status import Cause, wrong

_CONFIG_KEY = "[-._a-zA-Z0-9]+"
_CONFIG_KEY_RULE = (
    "a valid config key must consist of alphanumeric characters, '-', '_' or '.' (e.g. "
    f"'key.name',  or 'KEY_NAME',  or 'key-name', regex used for validation is '{_CONFIG_KEY}')"
)


def _named(obj: Object, _old: Object | None) -> Sequence[Cause]:
    return list(metadata_causes(obj))


def _config_map_causes(obj: Object, _old: Object | None) -> Sequence[Cause]:
    keys = [*(obj.get("data") or {}), *(obj.get("binaryData") or {})]
    bad = [key for key in keys if not re.fullmatch(_CONFIG_KEY, key)]
    return [*metadata_causes(obj), *(wrong(f"data[{key}]", key, _CONFIG_KEY_RULE) for key in bad)]


def _lease_causes(obj: Object, _old: Object | None) -> Sequence[Cause]:
    causes = list(metadata_causes(obj))
    duration = (obj.get("spec") or {}).get("leaseDurationSeconds")
    if duration is not None and duration <= 0:
        causes.append(wrong("spec.leaseDurationSeconds", duration, "must be greater than 0"))
    return causes


def _status(key: str) -> Callable[[Object, datetime], Any]:
    return lambda obj, _at: obj.get("status", {}).get(key) or 0


def _pod_spec(obj: Object) -> Object:
    spec: Object = obj["spec"]["template"]["spec"]
    return spec


def _of_containers(key: str) -> Callable[[Object, datetime], str]:
    return lambda obj, _at: ",".join(one[key] for one in _pod_spec(obj)["containers"])


CONFIG_MAPS = Resource(
    group="",
    version="v1",
    plural="configmaps",
    singular="configmap",
    kind="ConfigMap",
    namespaced=True,
    short_names=("cm",),
    columns=(
        NAME,
        Column(
            name="Data",
            cell=lambda obj, _at: len(obj.get("data") or {}) + len(obj.get("binaryData") or {}),
        ),
        AGE,
    ),
    field_labels=METADATA_LABELS,
    schema="io.k8s.api.core.v1.ConfigMap",
    validate=_config_map_causes,
)
SERVICE_ACCOUNTS = Resource(
    group="",
    version="v1",
    plural="serviceaccounts",
    singular="serviceaccount",
    kind="ServiceAccount",
    namespaced=True,
    short_names=("sa",),
    columns=(
        NAME,
        Column(name="Secrets", cell=lambda obj, _at: len(obj.get("secrets") or [])),
        AGE,
    ),
    field_labels=METADATA_LABELS,
    schema="io.k8s.api.core.v1.ServiceAccount",
    validate=_named,
)
DAEMON_SETS = Resource(
    group="apps",
    version="v1",
    plural="daemonsets",
    singular="daemonset",
    kind="DaemonSet",
    namespaced=True,
    # The lab has no DaemonSet controller: one that could be made would never have pods.
    verbs=READ,
    short_names=("ds",),
    categories=("all",),
    subresources=(Subresource(name="status", kind="DaemonSet", verbs=("get",)),),
    columns=(
        NAME,
        Column(name="Desired", type="integer", cell=_status("desiredNumberScheduled")),
        Column(name="Current", type="integer", cell=_status("currentNumberScheduled")),
        Column(name="Ready", type="integer", cell=_status("numberReady")),
        Column(name="Up-to-date", type="integer", cell=_status("updatedNumberScheduled")),
        Column(name="Available", type="integer", cell=_status("numberAvailable")),
        Column(
            name="Node Selector", cell=lambda obj, _at: joined(_pod_spec(obj).get("nodeSelector"))
        ),
        AGE,
        Column(name="Containers", priority=1, cell=_of_containers("name")),
        Column(name="Images", priority=1, cell=_of_containers("image")),
        Column(
            name="Selector",
            priority=1,
            cell=lambda obj, _at: joined(obj["spec"]["selector"].get("matchLabels")),
        ),
    ),
    field_labels=METADATA_LABELS,
    schema="io.k8s.api.apps.v1.DaemonSet",
)
LEASES = Resource(
    group="coordination.k8s.io",
    version="v1",
    plural="leases",
    singular="lease",
    kind="Lease",
    namespaced=True,
    columns=(
        NAME,
        Column(
            name="Holder",
            cell=lambda obj, _at: (obj.get("spec") or {}).get("holderIdentity") or NONE,
        ),
        AGE,
    ),
    field_labels=METADATA_LABELS,
    schema="io.k8s.api.coordination.v1.Lease",
    validate=_lease_causes,
)
NETWORK_ATTACHMENT_DEFINITIONS = Resource(
    group="k8s.cni.cncf.io",
    version="v1",
    plural="network-attachment-definitions",
    singular="network-attachment-definition",
    kind="NetworkAttachmentDefinition",
    namespaced=True,
    short_names=("net-attach-def",),
    columns=NAME_AND_AGE,
    field_labels=METADATA_LABELS,
    schema="io.cncf.cni.k8s.v1.NetworkAttachmentDefinition",
    validate=_named,
    generation=True,
    custom=True,
)
IP_POOLS = Resource(
    group="crd.projectcalico.org",
    version="v1",
    plural="ippools",
    singular="ippool",
    kind="IPPool",
    namespaced=False,
    # The pools are the topology's: a change here would change no dataplane.
    verbs=READ,
    columns=NAME_AND_AGE,
    field_labels=METADATA_LABELS,
    generation=True,
    custom=True,
)
SERVICE_CIDRS = Resource(
    group="networking.k8s.io",
    version="v1",
    plural="servicecidrs",
    singular="servicecidr",
    kind="ServiceCIDR",
    namespaced=False,
    # The range is the topology's, and the lab has no services that could take from another.
    verbs=READ,
    columns=(
        NAME,
        Column(name="CIDRs", cell=lambda obj, _at: ",".join(obj["spec"]["cidrs"])),
        AGE,
    ),
    field_labels=METADATA_LABELS,
)


def _allow(review: Object) -> None:
    """Who has the client certificate may do everything that the lab can do."""
    review["status"] = {"allowed": True}


SELF_SUBJECT_ACCESS_REVIEWS = Resource(
    group="authorization.k8s.io",
    version="v1",
    plural="selfsubjectaccessreviews",
    singular="selfsubjectaccessreview",
    kind="SelfSubjectAccessReview",
    namespaced=False,
    verbs=("create",),
    schema="io.k8s.api.authorization.v1.SelfSubjectAccessReview",
    set_defaults=_allow,
    stored=False,
)
