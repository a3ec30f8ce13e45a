"""One node's network: its NIC, Calico's and Flannel's dataplanes, and what CNI plugins need of it."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from podmatrix.lab.dataplane.plan import NetworkPlan
from podmatrix.lab.netns import NetNS


class NodeNetwork:
    """Made for a node before its pods.

    `files` is the node's `/` as a path for the lab's processes. Methods block: from asyncio call
    them by way of a thread.
    """

    def __init__(self, plan: NetworkPlan, name: str, netns: NetNS, files: Path) -> None:
        self.plan = plan
        self.node = plan.node(name)
        self.name = name
        self.netns = netns
        self.files = files

    def set_up(self) -> None:
        """Devices, routes, rules, sysctls and CNI files. Raises LabError."""
        raise NotImplementedError

    @property
    def annotations(self) -> Mapping[str, str]:
        """What flannel and Calico write onto the Node object."""
        raise NotImplementedError

    @property
    def pod_cidr(self) -> str:
        """The node's spec.podCIDR."""
        return str(self.node.pod_cidr)


def calico_objects(plan: NetworkPlan) -> list[dict[str, Any]]:
    """The IPPool, as far as preflight reads it."""
    raise NotImplementedError
