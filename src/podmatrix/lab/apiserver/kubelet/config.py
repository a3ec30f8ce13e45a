"""From a pod to what the runtime has to do: sandbox, containers, environment, mounts."""

import re
from collections.abc import Mapping
from typing import Any

from podmatrix.errors import LabError
from podmatrix.lab.apiserver.objects import Object, name_of, namespace_of, uid_of
from podmatrix.lab.apiserver.store import Store
from podmatrix.lab.runtime import ContainerConfig, Mount, PodSandboxConfig

SAFE_SYSCTLS = frozenset(
    (
        "kernel.shm_rmid_forced",
        "net.ipv4.ip_local_port_range",
        "net.ipv4.ip_local_reserved_ports",
        "net.ipv4.ip_unprivileged_port_start",
        "net.ipv4.ping_group_range",
        "net.ipv4.tcp_fin_timeout",
        "net.ipv4.tcp_keepalive_intvl",
        "net.ipv4.tcp_keepalive_probes",
        "net.ipv4.tcp_keepalive_time",
        "net.ipv4.tcp_rmem",
        "net.ipv4.tcp_syncookies",
        "net.ipv4.tcp_wmem",
    )
)
"""Sysctls that a kubelet allows without being told to (kubernetes/pkg/kubelet/sysctl)."""


class ContainerConfigError(LabError):
    """A container cannot be made of what its pod says (CreateContainerConfigError)."""


def sysctls_of(pod: Object) -> dict[str, str]:
    """The sysctls a pod asks for."""
    asked = (pod["spec"].get("securityContext") or {}).get("sysctls") or []
    return {one["name"].replace("/", "."): one.get("value", "") for one in asked}


def forbidden_sysctl(pod: Object) -> str | None:
    """The first sysctl that no kubelet allows by itself."""
    return next((name for name in sysctls_of(pod) if name not in SAFE_SYSCTLS), None)


def sandbox_config(pod: Object, node_name: str) -> PodSandboxConfig:
    """What RunPodSandbox needs."""
    spec = pod["spec"]
    host_network = bool(spec.get("hostNetwork"))
    return PodSandboxConfig(
        namespace=namespace_of(pod),
        name=name_of(pod),
        uid=uid_of(pod),
        annotations=pod["metadata"].get("annotations") or {},
        host_network=host_network,
        hostname=node_name if host_network else spec.get("hostname") or name_of(pod),
        sysctls=sysctls_of(pod),
    )


def container_config(
    store: Store,
    pod: Object,
    container: Object,
    *,
    node_name: str,
    log_path: str,
    volumes: Mapping[str, str],
) -> ContainerConfig:
    """What StartContainer needs; `volumes` maps names to places on the node.

    Raises ContainerConfigError.
    """
    env = environment(store, pod, container, node_name=node_name)
    security = container.get("securityContext") or {}
    of_pod = pod["spec"].get("securityContext") or {}
    capabilities = security.get("capabilities") or {}
    command = [*(container.get("command") or []), *(container.get("args") or [])]
    return ContainerConfig(
        name=container["name"],
        image=container["image"],
        argv=tuple(expanded(one, env) for one in command),
        env=env,
        working_dir=container.get("workingDir") or "/",
        privileged=bool(security.get("privileged")),
        add_capabilities=tuple(capabilities.get("add") or ()),
        drop_capabilities=tuple(capabilities.get("drop") or ()),
        run_as_user=_run_as_user(pod, container, security),
        run_as_group=security.get("runAsGroup", of_pod.get("runAsGroup")),
        supplemental_groups=_supplemental_groups(of_pod),
        no_new_privileges=security.get("allowPrivilegeEscalation") is False,
        read_only_root=bool(security.get("readOnlyRootFilesystem")),
        mounts=mounts(container, volumes, env),
        log_path=log_path,
    )


def _run_as_user(pod: Object, container: Object, security: Object) -> int | None:
    """The user; verifyRunAsNonRoot of kubernetes/pkg/kubelet/kuberuntime/security_context.go."""
    of_pod = pod["spec"].get("securityContext") or {}
    user: int | None = security.get("runAsUser", of_pod.get("runAsUser"))
    if security.get("runAsNonRoot", of_pod.get("runAsNonRoot")) and not user:
        where = f'(pod: "{name_of(pod)}_{namespace_of(pod)}({uid_of(pod)})", container: '
        why = "container's runAsUser breaks non-root policy"
        if user is None:
            why = "container has runAsNonRoot and image will run as root"
        raise ContainerConfigError(f"{why} {where}{container['name']})")
    return user


def _supplemental_groups(of_pod: Object) -> tuple[int, ...]:
    group = of_pod.get("fsGroup")
    return (*(() if group is None else (group,)), *(of_pod.get("supplementalGroups") or ()))


def mounts(
    container: Object, volumes: Mapping[str, str], env: Mapping[str, str]
) -> tuple[Mount, ...]:
    """The mounts of a container, those that contain others first."""
    found = []
    for mount in container.get("volumeMounts") or []:
        below = mount.get("subPath") or expanded(mount.get("subPathExpr") or "", env)
        place = volumes[mount["name"]]
        found.append(
            Mount(
                mount_path=mount["mountPath"],
                host_path=f"{place}/{below}" if below else place,
                read_only=bool(mount.get("readOnly")),
            )
        )
    return tuple(sorted(found, key=lambda one: one.mount_path))


def environment(store: Store, pod: Object, container: Object, *, node_name: str) -> dict[str, str]:
    """The variables a container declares, with what they refer to filled in."""
    env: dict[str, str] = {}
    for number, source in enumerate(container.get("envFrom") or []):
        if "configMapRef" not in source:
            raise ContainerConfigError(f"envFrom[{number}]: the lab knows configMapRef only")
        data = config_map(store, pod, source["configMapRef"])
        env |= {source.get("prefix", "") + key: value for key, value in data.items()}
    for variable in container.get("env") or []:
        if "valueFrom" in variable:
            value = _value_from(store, pod, variable["valueFrom"], node_name)
        else:
            value = expanded(variable.get("value") or "", env)
        if value is not None:
            env[variable["name"]] = value
    return env


def value_from_field(pod: Object, path: str, node_name: str) -> str:
    """What a fieldRef stands for. Raises ContainerConfigError."""
    if match := re.fullmatch(r"metadata\.(labels|annotations)\['(.+)'\]", path):
        return str((pod["metadata"].get(match[1]) or {}).get(match[2], ""))
    known: dict[str, Any] = {
        "metadata.name": name_of(pod),
        "metadata.namespace": namespace_of(pod),
        "metadata.uid": uid_of(pod),
        "spec.nodeName": node_name,
        "spec.serviceAccountName": pod["spec"]["serviceAccountName"],
        "status.hostIP": pod["status"].get("hostIP", ""),
        "status.podIP": pod["status"].get("podIP", ""),
        "status.podIPs": ",".join(one["ip"] for one in pod["status"].get("podIPs") or []),
    }
    if path not in known:
        raise ContainerConfigError(f"unsupported fieldPath: {path}")
    return str(known[path])


def _value_from(store: Store, pod: Object, source: Object, node_name: str) -> str | None:
    if "configMapKeyRef" in source:
        reference = source["configMapKeyRef"]
        data, key = config_map(store, pod, reference), reference["key"]
        if key not in data and not reference.get("optional"):
            where = f"{namespace_of(pod)}/{reference['name']}"
            raise ContainerConfigError(f"couldn't find key {key} in ConfigMap {where}")
        return data.get(key)
    if "fieldRef" not in source:
        raise ContainerConfigError(
            f"{next(iter(source), 'valueFrom')}: the lab fills in fieldRef and configMapKeyRef only"
        )
    return value_from_field(pod, source["fieldRef"]["fieldPath"], node_name)


def config_map(store: Store, pod: Object, reference: Object) -> Mapping[str, str]:
    found = store.get("configmaps", namespace_of(pod), reference["name"])
    if found is None:
        if reference.get("optional"):
            return {}
        raise ContainerConfigError(f'configmap "{reference["name"]}" not found')
    return found.get("data") or {}


def expanded(text: str, env: Mapping[str, str]) -> str:
    """`$(VAR)` replaced, `$$(VAR)` kept as `$(VAR)`, what is not known left as it stands."""

    def replacement(match: re.Match[str]) -> str:
        if match[0] == "$$":
            return "$"
        return env.get(match[1], match[0])

    return re.sub(r"\$\$|\$\(([-._a-zA-Z0-9]+)\)", replacement, text)
