"""The lab's API server with its scheduler and kubelets, all in one event loop."""

import asyncio
import socket
import ssl
from collections.abc import Callable, Mapping

from aiohttp import web

from podmatrix.lab.apiserver.app import App
from podmatrix.lab.apiserver.deletion import watch_namespaces
from podmatrix.lab.apiserver.exec_handler import ExecHandler
from podmatrix.lab.apiserver.kubelet.kubelet import Kubelet
from podmatrix.lab.apiserver.log_handler import LogHandler
from podmatrix.lab.apiserver.scheduler import Scheduler
from podmatrix.lab.apiserver.seed import seed
from podmatrix.lab.apiserver.spec import ClusterSpec, NodeSpec
from podmatrix.lab.apiserver.store import Store
from podmatrix.lab.runtime import ContainerRuntime

__all__ = ["ClusterSpec", "NodeSpec", "serve"]

_BACKLOG = 512
_SHUTDOWN_TIMEOUT_S = 0.1
_REQUEST_LINE_MAX = 1 << 20
"""Bytes, as in Go's net/http (DefaultMaxHeaderBytes): the command of an exec is in the URL."""


async def serve(
    *,
    sock: socket.socket,
    ssl_context: ssl.SSLContext,
    cluster: ClusterSpec,
    runtimes: Mapping[str, ContainerRuntime],
    on_ready: Callable[[], None],
) -> None:
    """Serve until cancelled; then stop every pod and re-raise CancelledError.

    `sock` is bound and listening. `ssl_context` asks for a client certificate (CERT_OPTIONAL):
    who shows none that its CA signed gets 401. `runtimes` maps node names to what runs their pods.
    `on_ready` is called once, as soon as requests are answered.
    """
    store = Store()
    watch_namespaces(store)
    Scheduler(store)
    kubelets = {
        node.name: Kubelet(
            node=node, store=store, runtime=runtimes[node.name], log_dir=cluster.log_dir
        )
        for node in cluster.nodes
    }
    seed(store, cluster)
    host, port = sock.getsockname()[:2]
    execs = ExecHandler(store, kubelets, runtimes)
    app = App(
        store=store,
        server_version=cluster.server_version,
        address=f"{host}:{port}",
        subresources={
            "pods/exec": execs,
            "pods/log": LogHandler(store, kubelets, cluster.log_dir),
        },
    )
    server = web.Server(
        app, handler_cancellation=True, access_log=None, max_line_size=_REQUEST_LINE_MAX
    )
    loop = asyncio.get_running_loop()
    listener = await loop.create_server(server, sock=sock, ssl=ssl_context, backlog=_BACKLOG)
    try:
        on_ready()
        await loop.create_future()
    finally:
        listener.close()
        await asyncio.gather(*(kubelet.shut_down() for kubelet in kubelets.values()))
        await execs.shut_down()
        await _close(server)


async def _close(server: web.Server) -> None:
    """End all connections now: an idle client would not answer a TLS close for a long time."""
    transports = [one.transport for one in server.connections if one.transport is not None]
    await server.shutdown(_SHUTDOWN_TIMEOUT_S)
    for transport in transports:
        transport.abort()
    await asyncio.sleep(0)  # lets the loop carry out what abort() has scheduled
