"""The lab's API server with its scheduler and kubelets, all in one event loop."""

import socket
import ssl
from collections.abc import Callable, Mapping

from podmatrix.lab.apiserver.spec import ClusterSpec, NodeSpec
from podmatrix.lab.runtime import ContainerRuntime

__all__ = ["ClusterSpec", "NodeSpec", "serve"]


async def serve(
    *,
    sock: socket.socket,
    ssl_context: ssl.SSLContext,
    cluster: ClusterSpec,
    runtimes: Mapping[str, ContainerRuntime],
    on_ready: Callable[[], None],
) -> None:
    """Serve until cancelled; then stop every pod and return (re-raises CancelledError).

    `sock` is bound and listening. `ssl_context` asks for a client certificate (CERT_OPTIONAL):
    who shows none that its CA signed gets 401. `runtimes` maps node names to what runs their pods.
    `on_ready` is called once, as soon as requests are answered.
    """
    raise NotImplementedError("being built")
