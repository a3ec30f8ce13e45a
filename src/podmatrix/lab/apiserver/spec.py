"""What the API in front of the lab is told about its cluster: plain values, no I/O."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True, slots=True, kw_only=True)
class NodeSpec:
    """One node as the API shows it. `pod_cidr` is Flannel's lease, as `spec.podCIDR`.

    `labels` and `annotations` are added to those that every node carries.
    """

    name: str
    internal_ip: str
    pod_cidr: str
    annotations: Mapping[str, str] = field(default_factory=dict)
    labels: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class ClusterSpec:
    """A cluster at its start.

    `server_version` is a Kubernetes git version (`v1.34.4`). `objects` are put into the store
    before the first request, in their order; namespaces they live in must come first (`seed.py`
    builds the usual ones). `log_dir` is where kubelets put the logs of containers, as seen by the
    lab's own process.
    """

    server_version: str
    nodes: Sequence[NodeSpec]
    objects: Sequence[Mapping[str, Any]] = ()
    log_dir: str = "/var/log/pods"
