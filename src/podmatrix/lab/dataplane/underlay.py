"""The wire between the nodes: a bridge in the lab's own namespace, a veth pair for each NIC."""

from podmatrix.lab.dataplane.plan import NetworkPlan
from podmatrix.lab.netns import NetNS


def set_up_underlay(plan: NetworkPlan, lab: NetNS) -> None:
    """The bridge with the gateway's address, in the lab's own namespace. Raises LabError."""
    raise NotImplementedError
