"""The plugins of /opt/cni/bin, found by their type, and the chains of a configuration list.

Errors are worded as libcni does: `plugin type="flannel" name="flannel-conf" failed (add): ...`.
"""

from collections.abc import Iterator
from types import ModuleType
from typing import Protocol

from podmatrix.errors import LabError
from podmatrix.lab.cni import bridge, calico, flannel
from podmatrix.lab.cni.spec import CniArgs, NetworkConfig, PluginError, Result
from podmatrix.lab.dataplane.node_network import NodeNetwork

PATH = "[/opt/cni/bin /opt/cni/bin]"
"""Where libcni says it looked when Multus asks (its binDir and $CNI_PATH)."""


class Plugin(Protocol):
    """A plugin that makes interfaces."""

    def add(self, node: NodeNetwork, config: NetworkConfig, args: CniArgs, /) -> Result:
        """CNI ADD; what failed leaves nothing behind."""
        ...

    def delete(self, node: NodeNetwork, config: NetworkConfig, args: CniArgs, /) -> None:
        """CNI DEL, idempotent."""
        ...


_MAKERS: dict[str, ModuleType] = {"bridge": bridge, "calico": calico, "flannel": flannel}
_PASSING = {"portmap": "portMappings", "bandwidth": "bandwidth"}
"""Plugins that do nothing without that capability argument, which the lab never passes."""


def is_list(config: NetworkConfig) -> bool:
    """Whether a configuration is a list of plugins."""
    return not config.get("type")


def add(node: NodeNetwork, config: NetworkConfig, args: CniArgs) -> Result:
    """AddNetwork or AddNetworkList. Raises PluginError with everything undone."""
    result = Result()
    for plugin in _chain(config):
        try:
            if plugin["type"] not in _PASSING:
                result = _plugin(plugin).add(node, plugin, args)
        except LabError as exc:
            delete(node, config, args)
            raise PluginError(f"plugin {_description(config, plugin)} failed (add): {exc}") from exc
    return result


def delete(node: NodeNetwork, config: NetworkConfig, args: CniArgs) -> None:
    """DelNetwork or DelNetworkList; plugins that the lab does not have made nothing."""
    for plugin in reversed(list(_chain(config))):
        if plugin["type"] in _MAKERS:
            _plugin(plugin).delete(node, plugin, args)


def _chain(config: NetworkConfig) -> Iterator[NetworkConfig]:
    if not is_list(config):
        yield config
        return
    for plugin in config["plugins"]:
        yield {**plugin, "name": config.get("name", ""), "cniVersion": config.get("cniVersion")}


def _plugin(config: NetworkConfig) -> Plugin:
    module = _MAKERS.get(config["type"])
    if module is None:
        raise PluginError(f'failed to find plugin "{config["type"]}" in path {PATH}')
    return module


def _description(config: NetworkConfig, plugin: NetworkConfig) -> str:
    """A list's plugins have no name of their own."""
    if is_list(config) or not config.get("name"):
        return f'type="{plugin["type"]}"'
    return f'type="{plugin["type"]}" name="{config["name"]}"'
