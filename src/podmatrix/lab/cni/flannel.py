"""The flannel plugin: reads subnet.env and lets the bridge plugin do the work.

Source: flannel-io/cni-plugin, flannel.go and flannel_linux.go. The delegate's configuration is kept
in /var/lib/cni/flannel/<container id> for DEL: by the container alone, so of a pod with two such
networks the real plugin gives back one address only, and so does this one.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from ipaddress import IPv4Network
from pathlib import Path
from typing import Any

from podmatrix.errors import LabError
from podmatrix.lab.cni import bridge
from podmatrix.lab.cni.spec import PATH, CniArgs, NetworkConfig, PluginError, Result
from podmatrix.lab.dataplane.node_network import NodeNetwork

SUBNET_FILE = "/run/flannel/subnet.env"
DATA_DIR = "/var/lib/cni/flannel"


@dataclass(frozen=True, slots=True, kw_only=True)
class SubnetEnv:
    """What flanneld left for the plugin."""

    networks: tuple[IPv4Network, ...]
    subnet: IPv4Network
    mtu: int
    ip_masq: bool


def add(node: NodeNetwork, config: NetworkConfig, args: CniArgs) -> Result:
    """CNI ADD. Raises PluginError in the plugin's words."""
    env = _load_subnet_env(node.files, config.get("subnetFile") or SUBNET_FILE)
    delegate = _delegate(config, env)
    scratch = _scratch(node.files, config, args)
    scratch.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    scratch.write_text(json.dumps(delegate))
    if delegate["type"] != "bridge":
        raise PluginError(
            f'failed to delegate add: failed to find plugin "{delegate["type"]}" in path {PATH}'
        )
    try:
        return bridge.add(node, delegate, args)
    except LabError as exc:
        raise PluginError(f"failed to delegate add: {exc}") from exc


def delete(node: NodeNetwork, config: NetworkConfig, args: CniArgs) -> None:
    """CNI DEL: nothing happens where nothing was kept."""
    scratch = _scratch(node.files, config, args)
    try:
        delegate = json.loads(scratch.read_text())
    except (FileNotFoundError, json.JSONDecodeError):
        return
    if delegate["type"] == "bridge":
        bridge.delete(node, delegate, args)
    scratch.unlink(missing_ok=True)


def _scratch(files: Path, config: NetworkConfig, args: CniArgs) -> Path:
    return files / (config.get("dataDir") or DATA_DIR).lstrip("/") / args.container_id


def _delegate(config: NetworkConfig, env: SubnetEnv) -> dict[str, Any]:
    delegate = dict(config.get("delegate") or {})
    for key in ("name", "ipam"):
        if key in delegate:
            raise PluginError(
                f"'delegate' dictionary must not have '{key}' field, it'll be set by flannel"
            )
    delegate["name"] = config.get("name", "")
    delegate.setdefault("type", "bridge")
    delegate.setdefault("ipMasq", not env.ip_masq)
    delegate.setdefault("mtu", env.mtu)
    if delegate["type"] == "bridge":
        delegate.setdefault("isGateway", True)
    if config.get("cniVersion"):
        delegate["cniVersion"] = config["cniVersion"]
    ipam = dict(config.get("ipam") or {})
    ipam.setdefault("type", "host-local")
    ipam["ranges"] = [[{"subnet": str(env.subnet)}]]
    ipam["routes"] = [
        *(ipam.get("routes") or ()),
        *({"dst": str(network)} for network in env.networks),
    ]
    delegate["ipam"] = ipam
    return delegate


def _load_subnet_env(files: Path, name: str) -> SubnetEnv:
    try:
        text = (files / name.lstrip("/")).read_text()
        return _parse_subnet_env(text, name)
    except (OSError, ValueError) as exc:
        reason = f"open {name}: {_go_reason(exc)}" if isinstance(exc, OSError) else str(exc)
        raise PluginError(
            f"failed to load flannel 'subnet.env' file: {reason}. "
            f"Check the flannel pod log for this node."
        ) from exc


def _go_reason(exc: OSError) -> str:
    return (exc.strerror or str(exc)).lower()


def _parse_subnet_env(text: str, name: str) -> SubnetEnv:
    """Raises ValueError with what is missing or wrong."""
    values: Mapping[str, str] = dict(
        line.split("=", 1) for line in text.splitlines() if "=" in line
    )
    # IPv6 is not the lab's; the real plugin names both families of each.
    missing = [
        words
        for key, words in (
            ("FLANNEL_NETWORK", "FLANNEL_NETWORK, FLANNEL_IPV6_NETWORK"),
            ("FLANNEL_SUBNET", "FLANNEL_SUBNET, FLANNEL_IPV6_SUBNET"),
            ("FLANNEL_MTU", "FLANNEL_MTU"),
            ("FLANNEL_IPMASQ", "FLANNEL_IPMASQ"),
        )
        if key not in values
    ]
    if missing:
        raise ValueError(f"{name} is missing {', '.join(missing)}")
    return SubnetEnv(
        networks=tuple(IPv4Network(cidr) for cidr in values["FLANNEL_NETWORK"].split(",")),
        subnet=IPv4Network(values["FLANNEL_SUBNET"], strict=False),
        mtu=int(values["FLANNEL_MTU"]),
        ip_masq=values["FLANNEL_IPMASQ"] == "true",
    )
