"""Multus' delegates: the cluster's network and what the pod's annotations select, in order.

Source: multus-cni v4.2.4, pkg/k8sclient and pkg/types. Errors are in its words.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from ipaddress import IPv4Address
from typing import Any

from podmatrix.lab.cni.go_json import cannot_unmarshal, go_json_error
from podmatrix.lab.cni.selection import (
    DEFAULT_NETWORK,
    NETWORKS,
    NetworkSelection,
    SelectionError,
    parse_selections,
)
from podmatrix.lab.cni.spec import NetworkConfig
from podmatrix.lab.runtime import NadLookup, NetworkPluginError, PodSandboxConfig

MULTUS_NAMESPACE = "kube-system"
_RESOURCE = "network-attachment-definitions.k8s.cni.cncf.io"
_NO_NAME = "resource name may not be empty"
_CONF_DIR = "/etc/cni/multus/net.d"


@dataclass(frozen=True, slots=True, kw_only=True)
class Delegate:
    """One network to add. `name`: `namespace/nad`, or the cluster network's own.

    `gateways` None: the pod's default-route requests leave it alone; else its default routes go,
    and the first gateway, if any, becomes the pod's.
    """

    name: str
    config: NetworkConfig
    master: bool = False
    interface: str = ""
    ips: tuple[str, ...] = ()
    mac: str = ""
    gateways: tuple[IPv4Address, ...] | None = None

    def ifname(self, position: int) -> str:
        """eth0 for the pod's default network, else net1, net2... by the place in the list."""
        return self.interface or ("eth0" if self.master else f"net{position}")


def select_delegates(
    multus: NetworkConfig, pod: PodSandboxConfig, nads: NadLookup
) -> list[Delegate]:
    """What to add to a pod, the default network first; `multus` is Multus' own configuration.

    Raises NetworkPluginError; its message lacks Multus' own prefix.
    """
    cluster = multus["delegates"][0]
    default = _default_delegate(pod, nads) or Delegate(
        name=cluster.get("name", ""), config=cluster, master=True
    )
    annotation = pod.annotations.get(NETWORKS, "")
    if not annotation:
        return [default]
    selections = _parse(annotation, pod.namespace, where="")
    where = "TryLoadPodDelegates: error in getting k8s network for pod: GetNetworkDelegates: "
    delegates = [default]
    for selection in selections:
        _check_isolation(multus, pod, selection, where)
        delegates.append(_delegate(selection, nads, f"{where}failed getting the delegate: "))
    return _with_gateways(delegates, selections)


def _check_isolation(
    multus: NetworkConfig, pod: PodSandboxConfig, selection: NetworkSelection, where: str
) -> None:
    """With `namespaceIsolation` a pod may use its own namespace's NADs and those of `default`."""
    listed = multus.get("globalNamespaces") or "default"
    allowed = {pod.namespace, *(one.strip() for one in listed.split(","))}
    if multus.get("namespaceIsolation") and selection.namespace not in allowed:
        raise NetworkPluginError(
            f"{where}namespace isolation enabled, annotation violates permission, pod is in "
            f"namespace {pod.namespace} but refers to target namespace {selection.namespace}"
        )


def _default_delegate(pod: PodSandboxConfig, nads: NadLookup) -> Delegate | None:
    annotation = pod.annotations.get(DEFAULT_NETWORK)
    if annotation is None:
        return None
    where = (
        "TryLoadPodDelegates: error in loading K8s cluster default network from pod annotation: "
        "tryLoadK8sPodDefaultNetwork: "
    )
    selections = _parse(annotation, MULTUS_NAMESPACE, where=f"{where}failed to parse CRD object: ")
    if len(selections) > 1:
        raise NetworkPluginError(f"{where}more than one default network is specified: {annotation}")
    delegate = _delegate(selections[0], nads, f"{where}failed getting the delegate: ")
    # Address and MAC requests are for additional networks only (pkg/types mergeCNIRuntimeConfig).
    return replace(delegate, master=True)


def _parse(annotation: str, namespace: str, *, where: str) -> list[NetworkSelection]:
    try:
        return parse_selections(annotation, namespace)
    except SelectionError as exc:
        raise NetworkPluginError(f"{where}{exc}") from exc


def _delegate(selection: NetworkSelection, nads: NadLookup, where: str) -> Delegate:
    nad = nads(selection.namespace, selection.name) if selection.name else None
    if nad is None:
        reason = f'{_RESOURCE} "{selection.name}" not found'
        event = (
            f"cannot find a network-attachment-definition ({selection.name}) in namespace "
            f"({selection.namespace}): {reason if selection.name else _NO_NAME}"
        )
        raise NetworkPluginError(
            f"{where}getKubernetesDelegate: {event}", reason="NoNetworkFound", event=event
        )
    return Delegate(
        name=f"{selection.namespace}/{selection.name}",
        config=_config(nad, selection, where),
        interface=selection.interface,
        ips=selection.ips,
        mac=selection.mac,
        gateways=selection.default_route,
    )


def _config(nad: Mapping[str, Any], selection: NetworkSelection, where: str) -> NetworkConfig:
    text = (nad.get("spec") or {}).get("config") or ""
    if not text:
        raise NetworkPluginError(
            f"{where}GetCNIConfig: err in GetCNIConfigFromFile: No networks found in {_CONF_DIR}"
        )
    try:
        config = json.loads(text)
        if not isinstance(config, dict):
            raise ValueError(cannot_unmarshal(config, "Go value of type map[string]interface {}"))
    except ValueError as exc:
        raise NetworkPluginError(
            f"{where}GetCNIConfig: err in getCNIConfigFromSpec: failed to unmarshal "
            f"Spec.Config: {go_json_error(exc)}"
        ) from exc
    config["name"] = config.get("name") or selection.name
    if not config.get("type"):
        _check_list(config, where)
    if selection.cni_args:
        config["args"] = {"cni": {**_cni_args(config), **selection.cni_args}}
    return config


def _cni_args(config: NetworkConfig) -> Mapping[str, Any]:
    cni: Mapping[str, Any] = (config.get("args") or {}).get("cni") or {}
    return cni


def _check_list(config: NetworkConfig, where: str) -> None:
    wrong = f"{where}LoadDelegateNetConf: failed with: LoadDelegateNetConfList: "
    plugins = config.get("plugins")
    if not plugins:
        raise NetworkPluginError(f"{wrong}delegate must have the 'type' or 'plugin' field")
    if not all(isinstance(plugin, dict) and plugin.get("type") for plugin in plugins):
        raise NetworkPluginError(f"{wrong}a plugin delegate must have the 'type' field")


def _with_gateways(
    delegates: Sequence[Delegate], selections: Sequence[NetworkSelection]
) -> list[Delegate]:
    """One request for a default route makes every other network lose its own."""
    if all(selection.default_route is None for selection in selections):
        return list(delegates)
    gateways = [gateway for delegate in delegates for gateway in delegate.gateways or ()]
    if len(gateways) > 1:
        raise NetworkPluginError("multus does not support ECMP for default-route")
    return [replace(delegate, gateways=delegate.gateways or ()) for delegate in delegates]
