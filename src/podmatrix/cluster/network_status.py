"""The annotation in which Multus tells what it attached (NPWG specification 1.3, section 5)."""

import json
from collections.abc import Mapping
from typing import Any

from podmatrix.errors import ClusterError
from podmatrix.model import NetworkStatus

ANNOTATIONS = ("k8s.v1.cni.cncf.io/network-status", "k8s.v1.cni.cncf.io/networks-status")
"""Multus before 3.4.1 wrote the second one only, 3.x after it both, 4.x the first."""


def parse_network_status(annotations: Mapping[str, str]) -> tuple[NetworkStatus, ...]:
    """Read the annotation of a pod; empty where it has none (no Multus, or hostNetwork).

    Raises ClusterError where it cannot be read.
    """
    key = next((name for name in ANNOTATIONS if annotations.get(name, "").strip()), None)
    if key is None:
        return ()
    try:
        elements = json.loads(annotations[key])
        if not isinstance(elements, list):
            raise TypeError(f"a list is expected, found {type(elements).__name__}")
        return tuple(_element(element) for element in elements)
    except (ValueError, TypeError, AttributeError) as exc:
        raise ClusterError(
            f"annotation {key} cannot be read, {exc}: {annotations[key][:200]!r}; "
            "Multus writes it, look at its log on the pod's node"
        ) from exc


def _element(element: Mapping[str, Any]) -> NetworkStatus:
    default = bool(element.get("default", False))
    mtu = element.get("mtu")
    return NetworkStatus(
        # Multus leaves it empty where the cluster network has no name (multus-cni#656).
        name=str(element.get("name") or ""),
        # Calico up to v3.30 returned no interface with a sandbox, so Multus wrote none.
        interface=element.get("interface") or ("eth0" if default else None),
        ips=tuple(str(address) for address in element.get("ips") or ()),
        mac=str(element.get("mac") or ""),
        mtu=int(mtu) if mtu else None,
        default=default,
        # Go prints an absent gateway as "<nil>", and Multus writes that (CNI plugin ptp).
        gateway=tuple(g for g in element.get("gateway") or () if g != "<nil>"),
    )
