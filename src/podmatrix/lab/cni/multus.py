"""Multus 4, thin: one delegate after the other, and what is written back onto the pod.

As a container runtime does, ADD takes the first configuration in the node's /etc/cni/net.d: where
that is not Multus', the pod gets this one network and Multus does not exist.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from podmatrix.errors import LabError
from podmatrix.lab.cni import plugins
from podmatrix.lab.cni.calico import interface_name
from podmatrix.lab.cni.config_files import DIRECTORY
from podmatrix.lab.cni.delegates import Delegate, select_delegates
from podmatrix.lab.cni.network_status import ANNOTATION, render, status_of
from podmatrix.lab.cni.spec import CniArgs, NetworkConfig, PluginError, Result
from podmatrix.lab.dataplane.felix_workloads import Workload
from podmatrix.lab.dataplane.netlink import connect
from podmatrix.lab.dataplane.node_network import NodeNetwork
from podmatrix.lab.dataplane.sysctls import prepare_pod
from podmatrix.lab.netns import NetNS
from podmatrix.lab.runtime import AddedInterface, NadLookup, NetworkPluginError, PodSandboxConfig

STATE = "var/lib/cni/multus"
"""One file for each sandbox: the delegates that DEL has to undo."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SandboxRef:
    """A pod sandbox that networks are added to. `sandbox_id` is CNI's container id."""

    config: PodSandboxConfig
    sandbox_id: str
    netns: NetNS


@dataclass(frozen=True, slots=True, kw_only=True)
class CniResult:
    """`ips`: bare addresses of the default network; `annotations`: to be written onto the pod."""

    ips: tuple[str, ...]
    annotations: Mapping[str, str] = field(default_factory=dict)
    added: tuple[AddedInterface, ...] = ()


def add(node: NodeNetwork, sandbox: SandboxRef, nads: NadLookup) -> CniResult:
    """CNI ADD; blocks. Raises NetworkPluginError with nothing left behind."""
    config = _first_config(node.files)
    try:
        _prepare(sandbox.netns)
        if config.get("type") == "multus":
            return _multus_add(node, config, sandbox, nads)
        return _plain_add(node, config, sandbox)
    except NetworkPluginError:
        raise
    except (LabError, OSError) as exc:
        delete(node, sandbox)
        raise NetworkPluginError(str(exc)) from exc


def delete(node: NodeNetwork, sandbox: SandboxRef) -> None:
    """CNI DEL, before the namespace goes. Idempotent; raises LabError where the kernel refuses."""
    node.felix.remove_workload(_endpoint(sandbox).interface)
    state = node.files / STATE / sandbox.sandbox_id
    try:
        saved = json.loads(state.read_text())
    except FileNotFoundError:
        return
    for entry in reversed(saved):
        plugins.delete(node, entry["config"], _args(sandbox, entry["ifname"]))
    state.unlink(missing_ok=True)


def _first_config(files: Path) -> NetworkConfig:
    """What containerd would load: the first by name that has one of the three endings."""
    directory = files / DIRECTORY
    names = sorted(
        file for file in directory.glob("*") if file.suffix in (".conf", ".conflist", ".json")
    )
    if not names:
        raise NetworkPluginError("cni plugin not initialized")
    try:
        config: NetworkConfig = json.loads(names[0].read_text())
    except ValueError as exc:
        raise NetworkPluginError(
            f"error loading CNI config file {names[0].name}: error parsing configuration: {exc}"
        ) from exc
    return config


def _prepare(netns: NetNS) -> None:
    prepare_pod(netns)
    with connect(netns) as netlink:
        netlink.set_link(netlink.link("lo"), state="up")


def _plain_add(node: NodeNetwork, config: NetworkConfig, sandbox: SandboxRef) -> CniResult:
    _save(node, sandbox, [Delegate(name="", config=config, master=True)])
    result = plugins.add(node, config, _args(sandbox, "eth0"))
    return CniResult(ips=_addresses(result), annotations=result.annotations)


def _multus_add(
    node: NodeNetwork, config: NetworkConfig, sandbox: SandboxRef, nads: NadLookup
) -> CniResult:
    pod = sandbox.config
    failed = f'plugin type="multus" name="{config.get("name", "")}" failed (add): '
    key = f"{pod.namespace}/{pod.name}/{pod.uid}"
    try:
        delegates = select_delegates(config, pod, nads)
    except NetworkPluginError as exc:
        raise NetworkPluginError(
            f"{failed}Multus: [{key}]: error loading k8s delegates k8s args: {exc}",
            reason=exc.reason,
            event=exc.event,
        ) from exc
    _save(node, sandbox, delegates)
    network = ""
    results: list[tuple[Delegate, str, Result]] = []
    try:
        for position, delegate in enumerate(delegates):
            ifname, network = delegate.ifname(position), delegate.config.get("name", "")
            results.append((delegate, ifname, _delegate_add(node, delegate, ifname, sandbox)))
        node.felix.add_workload(_endpoint(sandbox))
    except (LabError, OSError) as exc:
        delete(node, sandbox)
        raise NetworkPluginError(
            f'{failed}[{key}:{network}]: error adding container to network "{network}": {exc}',
            added=tuple(_told(*one) for one in results),
        ) from exc
    return _collect(results)


def _endpoint(sandbox: SandboxRef) -> Workload:
    """To felix every pod with an address is a workload endpoint (libcalico-go, KDD).

    So a pod that Calico did not plug in has rules too, for an interface that is not there.
    """
    pod = sandbox.config
    return Workload(interface=interface_name(pod.namespace, pod.name), namespace=pod.namespace)


def _delegate_add(
    node: NodeNetwork, delegate: Delegate, ifname: str, sandbox: SandboxRef
) -> Result:
    with connect(sandbox.netns) as netlink:
        if netlink.find_link(ifname) is not None:
            raise PluginError(
                f'DelegateAdd: cannot set "{delegate.config.get("type", "")}" interface name to '
                f'"{ifname}": validateIfName: interface name {ifname} already exists'
            )
    result = plugins.add(node, delegate.config, _args(sandbox, ifname, delegate))
    if delegate.gateways is not None:
        with connect(sandbox.netns) as netlink:
            link = netlink.link(ifname)
            netlink.delete_default_routes(link)
            for gateway in delegate.gateways:
                netlink.add_route(via=gateway, dev=link)
    return result


def _collect(results: Sequence[tuple[Delegate, str, Result]]) -> CniResult:
    status: list[dict[str, Any]] = []
    annotations: dict[str, str] = {}
    for delegate, _, result in results:
        status += status_of(delegate.name, result, default=delegate.master)
        annotations |= result.annotations
    annotations[ANNOTATION] = render(status)
    added = tuple(_told(*one) for one in results)
    return CniResult(ips=_addresses(results[0][2]), annotations=annotations, added=added)


def _told(delegate: Delegate, ifname: str, result: Result) -> AddedInterface:
    cidrs = tuple(str(ip.address) for ip in result.ips)
    return AddedInterface(ifname=ifname, cidrs=cidrs, network=delegate.name)


def _addresses(result: Result) -> tuple[str, ...]:
    return tuple(str(ip.address.ip) for ip in result.ips)


def _save(node: NodeNetwork, sandbox: SandboxRef, delegates: Sequence[Delegate]) -> None:
    state = node.files / STATE / sandbox.sandbox_id
    state.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    entries = [
        {"name": delegate.name, "config": delegate.config, "ifname": delegate.ifname(position)}
        for position, delegate in enumerate(delegates)
    ]
    state.write_text(json.dumps(entries))


def _args(sandbox: SandboxRef, ifname: str, delegate: Delegate | None = None) -> CniArgs:
    gone = not sandbox.netns.path.exists()
    return CniArgs(
        container_id=sandbox.sandbox_id,
        netns=None if gone else sandbox.netns,
        ifname=ifname,
        pod_namespace=sandbox.config.namespace,
        pod_name=sandbox.config.name,
        pod_uid=sandbox.config.uid,
        ips=delegate.ips if delegate else (),
        mac=delegate.mac if delegate else "",
    )
