"""What makes a pod invalid: the rules of kubernetes/pkg/apis/core/validation that matter here."""

import re
from collections.abc import Iterator, Sequence

from podmatrix.lab.apiserver.kinds.affinity_rules import node_affinity_causes
from podmatrix.lab.apiserver.kinds.names import dns_label, metadata_causes
from podmatrix.lab.apiserver.objects import Object
from podmatrix.lab.apiserver.status import (
    Cause,
    duplicate,
    not_permitted,
    required,
    unsupported,
    wrong,
)

_SYSCTL = r"([a-z0-9]([-_a-z0-9]*[a-z0-9])?[\./])*[a-z0-9]([-_a-z0-9]*[a-z0-9])?"
_IMMUTABLE = (
    "pod updates may not change fields other than `spec.containers[*].image`,"
    "`spec.initContainers[*].image`,`spec.activeDeadlineSeconds`,`spec.tolerations` (only "
    "additions to existing tolerations),`spec.terminationGracePeriodSeconds` (allow it to be set "
    "to 1 if it was previously negative)"
)


def pod_causes(pod: Object, old: Object | None) -> Sequence[Cause]:
    """Everything that is wrong with a new pod, or with an update of an old one."""
    if old is not None:
        return list(_update_causes(pod, old))
    spec = pod["spec"]
    causes = list(metadata_causes(pod))
    causes += _volume_causes(spec)
    causes += _containers_causes(spec)
    causes += _choice_causes(spec)
    causes += _sysctl_causes(spec)
    return causes + list(node_affinity_causes(spec))


def _update_causes(pod: Object, old: Object) -> Iterator[Cause]:
    free = ("activeDeadlineSeconds", "tolerations", "terminationGracePeriodSeconds", "nodeName")
    fixed, was = (
        {key: value for key, value in one["spec"].items() if key not in free} for one in (pod, old)
    )
    if fixed != was or pod["spec"].get("nodeName") != old["spec"].get("nodeName"):
        # The real one lets images change; the lab's kubelets do not restart containers for it.
        yield not_permitted("spec", _IMMUTABLE)


def _volume_causes(spec: Object) -> Iterator[Cause]:
    seen = set()
    for number, volume in enumerate(spec.get("volumes") or []):
        name, path = volume.get("name", ""), f"spec.volumes[{number}].name"
        if not name:
            yield required(path)
        elif trouble := dns_label(name):
            yield wrong(path, name, trouble)
        elif name in seen:
            yield duplicate(path, name)
        seen.add(name)


def _containers_causes(spec: Object) -> Iterator[Cause]:
    if not spec.get("containers"):
        yield required("spec.containers")
    seen: set[str] = set()
    volumes = {one.get("name") for one in spec.get("volumes") or []}
    for part in ("initContainers", "containers"):
        for number, container in enumerate(spec.get(part) or []):
            path = f"spec.{part}[{number}]"
            yield from _container_causes(container, path, seen)
            yield from _mount_causes(container, path, volumes)
            seen.add(container.get("name", ""))


def _container_causes(container: Object, path: str, seen: set[str]) -> Iterator[Cause]:
    name, image = container.get("name", ""), container.get("image", "")
    if not name:
        yield required(f"{path}.name")
    elif trouble := dns_label(name):
        yield wrong(f"{path}.name", name, trouble)
    elif name in seen:
        yield duplicate(f"{path}.name", name)
    if not image:
        yield required(f"{path}.image")
    elif image != image.strip():
        yield wrong(f"{path}.image", image, "must not have leading or trailing whitespace")
    yield from _one_of(container, "imagePullPolicy", path, ("Always", "IfNotPresent", "Never"))
    for number, variable in enumerate(container.get("env") or []):
        if not variable.get("name"):
            yield required(f"{path}.env[{number}].name")


def _mount_causes(container: Object, path: str, volumes: set[str | None]) -> Iterator[Cause]:
    for number, mount in enumerate(container.get("volumeMounts") or []):
        name, where = mount.get("name", ""), f"{path}.volumeMounts[{number}]"
        if not name:
            yield required(f"{where}.name")
        elif name not in volumes:
            message = f'Not found: "{name}"'
            yield Cause(reason="FieldValueNotFound", message=message, field=f"{where}.name")
        if not mount.get("mountPath"):
            yield required(f"{where}.mountPath")


def _choice_causes(spec: Object) -> Iterator[Cause]:
    yield from _one_of(spec, "restartPolicy", "spec", ("Always", "OnFailure", "Never"))
    grace = spec["terminationGracePeriodSeconds"]
    if grace < 0:
        yield wrong(
            "spec.terminationGracePeriodSeconds", grace, "must be greater than or equal to 0"
        )
    policies = ("ClusterFirstWithHostNet", "ClusterFirst", "Default", "None")
    yield from _one_of(spec, "dnsPolicy", "spec", policies)


def _one_of(obj: Object, key: str, path: str, allowed: Sequence[str]) -> Iterator[Cause]:
    if obj[key] not in allowed:
        yield unsupported(f"{path}.{key}", obj[key], allowed)


def _sysctl_causes(spec: Object) -> Iterator[Cause]:
    seen = set()
    for number, sysctl in enumerate(spec["securityContext"].get("sysctls") or []):
        name, path = sysctl.get("name", ""), f"spec.securityContext.sysctls[{number}].name"
        if not name:
            yield required(path)
        elif len(name) > 253 or not re.fullmatch(_SYSCTL, name):
            rule = f"must have at most 253 characters and match regex ^{_SYSCTL}$"
            yield wrong(path, name, rule)
        elif name in seen:
            yield duplicate(path, name)
        elif spec.get("hostNetwork") and name.startswith("net."):
            yield wrong(path, name, "may not be specified when 'hostNetwork' is true")
        seen.add(name)
