"""The static IPAM plugin: the addresses that the configuration, or the pod, names.

Source: containernetworking/plugins v1.9.1, plugins/ipam/static. Requests in CNI_ARGS are added to
the configured addresses; those of `cni-args`, and with the capability `ips` of the annotation, take
their place.
"""

from collections.abc import Iterable
from ipaddress import IPv4Address, IPv4Interface, IPv4Network
from pathlib import Path
from typing import Any

from podmatrix.lab.cni.spec import CniArgs, IPConfig, NetworkConfig, PluginError, Result, Route


def add(files: Path, config: NetworkConfig, args: CniArgs) -> Result:
    """Tell addresses and routes. Raises PluginError in the plugin's own words."""
    ipam = config["ipam"]
    return Result(ips=tuple(_addresses(config, args)), routes=routes(ipam.get("routes")))


def delete(files: Path, config: NetworkConfig, args: CniArgs) -> None:
    """Nothing was reserved."""


def routes(declared: Iterable[Any] | None) -> tuple[Route, ...]:
    """An `ipam` section's routes."""
    return tuple(
        Route(
            dst=IPv4Network(route["dst"]),
            gw=IPv4Address(route["gw"]) if route.get("gw") else None,
        )
        for route in declared or ()
    )


def _addresses(config: NetworkConfig, args: CniArgs) -> Iterable[IPConfig]:
    by_args = ((config.get("args") or {}).get("cni") or {}).get("ips") or ()
    capability = (config.get("capabilities") or {}).get("ips")
    if replacing := (args.ips if capability and args.ips else by_args):
        wrong = "an entry in the 'ips' field is NOT in CIDR notation, got: '{}'"
        return [IPConfig(address=_cidr(text, wrong)) for text in replacing]
    wrong = "the 'address' field is expected to be in CIDR notation, got: '{}'"
    configured = [
        IPConfig(
            address=_cidr(entry.get("address", ""), wrong),
            gateway=IPv4Address(entry["gateway"]) if entry.get("gateway") else None,
        )
        for entry in config["ipam"].get("addresses") or ()
    ]
    wrong = "the 'ip' field is expected to be in CIDR notation, got: '{}'"
    return [*configured, *(IPConfig(address=_cidr(text, wrong)) for text in args.ips)]


def _cidr(text: str, wrong: str) -> IPv4Interface:
    """Raises PluginError where there is no prefix length."""
    try:
        if "/" not in text:
            raise ValueError(text)
        return IPv4Interface(text)
    except ValueError as exc:
        raise PluginError(wrong.format(text)) from exc
