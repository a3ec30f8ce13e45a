"""The Kubernetes API as podmatrix sees it: plain JSON in, plain JSON out, own errors only.

One ApiClient per thread: `kubernetes.stream` swaps a method on the client it is given. Objects stay
the JSON the server sent: an old client library must not refuse what a new server says.
"""

import json
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

from podmatrix.cluster import kubeconfig as configurations
from podmatrix.cluster.failures import ATTEMPTS, library_errors, patiently, translated
from podmatrix.errors import ClusterError, SettingsError

CONNECT_TIMEOUT_S = 5.0
READ_TIMEOUT_S = 30.0

HOSTNAME_LABEL = "kubernetes.io/hostname"

Call = Callable[[Any], Any]
"""Takes an ApiClient and returns the raw response of a method called with RAW."""

RAW: Mapping[str, Any] = {
    "_preload_content": False,
    "_request_timeout": (CONNECT_TIMEOUT_S, READ_TIMEOUT_S),
}
"""Arguments for methods of the generated API."""


@dataclass(frozen=True, slots=True, kw_only=True)
class NodeInfo:
    """A node as the API shows it. `taints` are `key=value:effect`."""

    name: str
    internal_ip: str
    ready: bool
    schedulable: bool
    pod_cidrs: tuple[str, ...] = ()
    labels: Mapping[str, str] = field(default_factory=dict)
    taints: tuple[str, ...] = ()

    @property
    def hostname(self) -> str:
        """The value of kubernetes.io/hostname, which may differ from the node's name."""
        return self.labels.get(HOSTNAME_LABEL, self.name)


class Cluster:
    """A connection to one cluster. `where` names it in messages. Safe to use from many threads."""

    def __init__(self, configuration: Any, *, where: str) -> None:  # noqa: ANN401  untyped client
        # One table of retries, in failures.py; urllib3 would add its own.
        configuration.retries = False
        configuration.connection_pool_maxsize = 2
        self._configuration = configuration
        self._local = threading.local()
        self.where = f"{configuration.host} ({where})"

    @property
    def api(self) -> Any:  # noqa: ANN401  the client has no types
        """This thread's ApiClient."""
        if not hasattr(self._local, "api"):
            self._local.api = self.new_api()
        return self._local.api

    def new_api(self) -> Any:  # noqa: ANN401  the client has no types
        """An ApiClient of its own; it opens no connection before it is used."""
        from kubernetes import client

        return client.ApiClient(self._configuration)

    def read(self, what: str, call: Call, *, attempts: int = ATTEMPTS) -> dict[str, Any]:
        """Carry out one request and return the JSON object that came back.

        `what` completes "cannot ...". Raises StatusError where the server said no, ClusterError
        where it said nothing, or nothing that is JSON.
        """
        with self.errors(what):
            response = patiently(lambda: call(self.api), attempts=attempts)
            data = response.data
        try:
            document = json.loads(data)
        except ValueError as exc:
            raise ClusterError(f"{what}: {self.where} answered no JSON: {data[:200]!r}") from exc
        if not isinstance(document, dict):
            raise ClusterError(f"{what}: {self.where} answered no object: {data[:200]!r}")
        return document

    @contextmanager
    def errors(self, what: str) -> Iterator[None]:
        """Translate what the client's libraries raise."""
        try:
            yield
        except library_errors() as exc:
            raise translated(exc, what=f"cannot {what}", where=self.where) from exc

    @cached_property
    def server_version(self) -> str:
        """For example `v1.34.4`."""
        from kubernetes import client

        document = self.read(
            "ask for the server's version",
            lambda api: client.VersionApi(api).get_code(
                _preload_content=False, _request_timeout=(CONNECT_TIMEOUT_S, 10.0)
            ),
            attempts=2,
        )
        return str(document.get("gitVersion", "unknown"))

    def nodes(self) -> tuple[NodeInfo, ...]:
        """All nodes, sorted by name. Raises ClusterError."""
        document = self.read("list the nodes", lambda api: core_api(api).list_node(**RAW))
        infos = [_node_info(item) for item in document.get("items") or ()]
        return tuple(sorted(infos, key=lambda info: info.name))

    def close(self) -> None:
        """Close this thread's connections; those of other threads go with them."""
        if hasattr(self._local, "api"):
            self._local.api.close()
            del self._local.api


def core_api(api: Any) -> Any:  # noqa: ANN401  bodies are plain JSON here, not the client's models
    """CoreV1Api on an ApiClient."""
    from kubernetes import client

    return client.CoreV1Api(api)


def apps_api(api: Any) -> Any:  # noqa: ANN401  as above
    """AppsV1Api on an ApiClient."""
    from kubernetes import client

    return client.AppsV1Api(api)


def custom_api(api: Any) -> Any:  # noqa: ANN401  as above
    """CustomObjectsApi on an ApiClient."""
    from kubernetes import client

    return client.CustomObjectsApi(api)


def connect(
    *, kubeconfig: Path | None, context: str | None = None, in_cluster: bool = False
) -> Cluster:
    """Read the configuration and talk to the server once.

    Raises SettingsError where the configuration is wrong, ClusterError where the server is. Never
    looks at $KUBECONFIG.
    """
    if in_cluster:
        configuration, where = configurations.in_cluster()
    elif kubeconfig is not None:
        configuration, where = configurations.from_file(kubeconfig, context)
    else:
        raise SettingsError("no cluster was named: give --kubeconfig=FILE or --in-cluster=yes")
    cluster = Cluster(configuration, where=where)
    # The first request, so that whatever is wrong with server or credentials is said here.
    _ = cluster.server_version
    return cluster


def _node_info(item: Mapping[str, Any]) -> NodeInfo:
    metadata, spec, status = (item.get(key) or {} for key in ("metadata", "spec", "status"))
    addresses = {a["type"]: a["address"] for a in reversed(status.get("addresses") or ())}
    conditions = {c["type"]: c["status"] for c in status.get("conditions") or ()}
    cidrs = spec.get("podCIDRs") or ([spec["podCIDR"]] if spec.get("podCIDR") else [])
    return NodeInfo(
        name=metadata["name"],
        internal_ip=addresses.get("InternalIP", ""),
        ready=conditions.get("Ready") == "True",
        schedulable=not spec.get("unschedulable", False),
        pod_cidrs=tuple(cidrs),
        labels=metadata.get("labels") or {},
        taints=tuple(
            f"{taint['key']}={taint.get('value', '')}:{taint['effect']}"
            for taint in spec.get("taints") or ()
        ),
    )
