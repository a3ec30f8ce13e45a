"""The IPAM plugin that a main plugin's configuration names, found by its type."""

from pathlib import Path
from types import ModuleType

from podmatrix.lab.cni import ipam_host_local, ipam_static
from podmatrix.lab.cni.spec import PATH, CniArgs, NetworkConfig, PluginError, Result

_PLUGINS: dict[str, ModuleType] = {"host-local": ipam_host_local, "static": ipam_static}


def is_layer3(config: NetworkConfig) -> bool:
    """Whether the interface gets addresses at all."""
    return bool((config.get("ipam") or {}).get("type"))


def add(files: Path, config: NetworkConfig, args: CniArgs) -> Result:
    """ADD of the IPAM plugin. Raises PluginError in its words, or in libcni's where it is none."""
    kind = (config.get("ipam") or {}).get("type", "")
    if kind not in _PLUGINS:
        raise PluginError(f'failed to find plugin "{kind}" in path {PATH}')
    result: Result = _PLUGINS[kind].add(files, config, args)
    if not result.ips:
        raise PluginError("IPAM plugin returned missing IP config")
    return result


def delete(files: Path, config: NetworkConfig, args: CniArgs) -> None:
    """DEL of the IPAM plugin: nothing happens where there is nothing."""
    kind = (config.get("ipam") or {}).get("type", "")
    if kind in _PLUGINS:
        _PLUGINS[kind].delete(files, config, args)
