"""The plugins of /opt/cni/bin, found by their type, and the chains of a configuration list.

Errors are worded as libcni 1.3 does, which Multus 4.2 has built in: of a list's plugins it says
which one failed, `plugin type="macvlan" failed (add): ...`, of a single configuration it does not.
"""

from collections.abc import Iterator
from types import ModuleType
from typing import Protocol

from podmatrix.errors import LabError
from podmatrix.lab.cni import bridge, calico, flannel, macvlan, ptp
from podmatrix.lab.cni.spec import PATH, CniArgs, NetworkConfig, PluginError, Result
from podmatrix.lab.dataplane.node_network import NodeNetwork


class Plugin(Protocol):
    """A plugin that makes interfaces."""

    def add(self, node: NodeNetwork, config: NetworkConfig, args: CniArgs, /) -> Result:
        """CNI ADD; what failed leaves nothing behind."""
        ...

    def delete(self, node: NodeNetwork, config: NetworkConfig, args: CniArgs, /) -> None:
        """CNI DEL, idempotent."""
        ...


_MAKERS: dict[str, ModuleType] = {
    "bridge": bridge,
    "calico": calico,
    "flannel": flannel,
    "macvlan": macvlan,
    "ptp": ptp,
}
_CNI_VERSIONS = ("0.1.0", "0.2.0", "0.3.0", "0.3.1", "0.4.0", "1.0.0", "1.1.0")
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
            if not is_list(config):
                raise PluginError(str(exc)) from exc
            raise PluginError(f'plugin type="{plugin["type"]}" failed (add): {exc}') from exc
    return result


def delete(node: NodeNetwork, config: NetworkConfig, args: CniArgs) -> None:
    """DelNetwork or DelNetworkList; plugins that the lab does not have made nothing."""
    for plugin in reversed(list(_chain(config))):
        if maker := _MAKERS.get(plugin["type"]):
            maker.delete(node, plugin, args)


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
    if (version := config.get("cniVersion") or _CNI_VERSIONS[0]) not in _CNI_VERSIONS:
        supported = " ".join(f'"{one}"' for one in _CNI_VERSIONS)
        raise PluginError(
            f'incompatible CNI versions; config is "{version}", plugin supports [{supported}]'
        )
    return module
