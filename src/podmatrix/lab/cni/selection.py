"""Multus' two annotations: which networks a pod asks for, in short and in JSON form.

Source: NPWG specification 1.3, section 4; multus-cni v4.2.4, pkg/k8sclient.
Errors are in its words.
"""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Interface
from typing import Any

from podmatrix.lab.cni.go_json import cannot_unmarshal, go_json_error

NETWORKS = "k8s.v1.cni.cncf.io/networks"
DEFAULT_NETWORK = "v1.multus-cni.io/default-network"

_LABEL = re.compile(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?")
_MAC = re.compile(r"([0-9a-fA-F]{2}[:-]){5}[0-9a-fA-F]{2}")
_MAX_IFNAME = 15
_TYPES: Mapping[str, tuple[type, str]] = {
    "name": (str, "string"),
    "namespace": (str, "string"),
    "ips": (list, "[]string"),
    "mac": (str, "string"),
    "interface": (str, "string"),
    "cni-args": (dict, "map[string]interface {}"),
    "default-route": (list, "[]net.IP"),
}
_PARSE = "parsePodNetworkAnnotation: "
_PARSE_NAME = "parsePodNetworkObjectName: "


class SelectionError(ValueError):
    """An annotation cannot be read; the message is Multus'."""


@dataclass(frozen=True, slots=True, kw_only=True)
class NetworkSelection:
    """One element. `default_route` None: not asked for."""

    name: str
    namespace: str
    interface: str = ""
    ips: tuple[str, ...] = ()
    mac: str = ""
    default_route: tuple[IPv4Address, ...] | None = None
    cni_args: Mapping[str, Any] | None = None


def parse_selections(annotation: str, default_namespace: str) -> list[NetworkSelection]:
    """The elements in order. Raises SelectionError."""
    if not annotation:
        raise SelectionError(f'{_PARSE}pod annotation does not have "network" as key')
    if any(character in annotation for character in '[{"'):
        return [_from_json(item, default_namespace) for item in _load(annotation)]
    return [_from_text(item.strip(), default_namespace) for item in annotation.split(",")]


def _load(annotation: str) -> list[Mapping[str, Any]]:
    where = f"{_PARSE}failed to parse pod Network Attachment Selection Annotation JSON format: "
    try:
        items = json.loads(annotation)
    except json.JSONDecodeError as exc:
        raise SelectionError(f"{where}{go_json_error(exc)}") from exc
    if not isinstance(items, list):
        into = "Go value of type []*types.NetworkSelectionElement"
        raise SelectionError(f"{where}{cannot_unmarshal(items, into)}")
    for item in items:
        if not isinstance(item, dict):
            into = "Go value of type types.NetworkSelectionElement"
            raise SelectionError(f"{where}{cannot_unmarshal(item, into)}")
        for key, (kind, go_type) in _TYPES.items():
            if item.get(key) is not None and not isinstance(item[key], kind):
                into = f"Go struct field NetworkSelectionElement.{key} of type {go_type}"
                raise SelectionError(f"{where}{cannot_unmarshal(item[key], into)}")
    return items


def _from_json(item: Mapping[str, Any], default_namespace: str) -> NetworkSelection:
    mac = item.get("mac") or ""
    if mac and not _MAC.fullmatch(mac):
        raise SelectionError(f"{_PARSE}failed to mac: address {mac}: invalid MAC address")
    ips = tuple(item.get("ips") or ())
    for ip in ips:
        _check_ip(ip)
    routes = item.get("default-route")
    return NetworkSelection(
        name=item.get("name") or "",
        namespace=item.get("namespace") or default_namespace,
        interface=item.get("interface") or "",
        ips=ips,
        mac=mac,
        default_route=None if routes is None else tuple(_gateway(route) for route in routes),
        cni_args=item.get("cni-args"),
    )


def _check_ip(ip: str) -> None:
    try:
        IPv4Interface(ip)
    except ValueError as exc:
        if "/" in ip:
            raise SelectionError(
                f'failed to parse CIDR "{ip}": invalid CIDR address: {ip}'
            ) from exc
        raise SelectionError(f'failed to parse IP address "{ip}"') from exc


def _gateway(text: str) -> IPv4Address:
    try:
        return IPv4Address(text)
    except ValueError as exc:
        raise SelectionError(
            f"{_PARSE}failed to parse pod Network Attachment Selection Annotation JSON format: "
            f"invalid IP address: {text}"
        ) from exc


def _from_text(item: str, default_namespace: str) -> NetworkSelection:
    slashes = item.split("/")
    if len(slashes) > 2:
        raise SelectionError(f"{_PARSE}{_PARSE_NAME}Invalid network object (failed at '/')")
    namespace = slashes[0].strip() if len(slashes) == 2 else ""
    ats = slashes[-1].split("@")
    if len(ats) > 2:
        raise SelectionError(f"{_PARSE}{_PARSE_NAME}Invalid network object (failed at '@')")
    name, interface = ats[0].strip(), ats[1].strip() if len(ats) == 2 else ""
    for part in (namespace, name):
        if part and not _LABEL.fullmatch(part):
            raise SelectionError(
                f"{_PARSE}{_PARSE_NAME}Failed to parse: one or more items did not match "
                f"comma-delimited format (must consist of lower case alphanumeric characters). "
                f"Must start and end with an alphanumeric character), mismatch @ '{part}'"
            )
    if len(interface) > _MAX_IFNAME or re.search(r"[\s/]", interface):
        raise SelectionError(
            f"{_PARSE}{_PARSE_NAME}Failed to parse interface name: must be less than 15 chars "
            f"and not contain '/' or spaces. interface name '{interface}'"
        )
    return NetworkSelection(
        name=name, namespace=namespace or default_namespace, interface=interface
    )
