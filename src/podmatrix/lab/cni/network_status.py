"""The annotation `k8s.v1.cni.cncf.io/network-status` as Multus 4 writes it.

Source: network-attachment-definition-client v1.7, pkg/utils (each element indented by four blanks,
joined by commas) and a real pod. Results of CNI version 0.3 know no MTU, so there is no `mtu` key.
"""

import json
from collections.abc import Iterable
from typing import Any

from podmatrix.lab.cni.spec import DEFAULT_ROUTE, Result

ANNOTATION = "k8s.v1.cni.cncf.io/network-status"


def status_of(name: str, result: Result, *, default: bool) -> list[dict[str, Any]]:
    """One element for each of the pod's interfaces in a result."""
    # Of a default route without gateway the client writes what Go prints of a nil address.
    gateways = [str(route.gw or "<nil>") for route in result.routes if route.dst == DEFAULT_ROUTE]
    elements = []
    for interface in result.interfaces:
        if not interface.sandbox:
            continue
        element: dict[str, Any] = {"name": name, "interface": interface.name}
        if result.ips:
            element["ips"] = [str(ip.address.ip) for ip in result.ips]
        element["mac"] = interface.mac
        if default:
            element["default"] = True
        element["dns"] = {}
        if gateways:
            element["gateway"] = gateways
        elements.append(element)
    return elements


def render(elements: Iterable[dict[str, Any]]) -> str:
    """The annotation's text."""
    texts = (json.dumps(element, indent=4) for element in elements)
    text = f"[{','.join(texts)}]"
    for character in "<>&":  # as encoding/json does
        text = text.replace(character, f"\\u{ord(character):04x}")
    return text
