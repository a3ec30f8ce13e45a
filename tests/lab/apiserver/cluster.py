"""A served cluster of two nodes for tests: TLS on a loopback port, LocalRuntimes behind it."""

import asyncio
import base64
import socket
import ssl
import threading
from collections.abc import Callable, Coroutine, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import trustme
import yaml

from podmatrix.lab.apiserver.seed import (
    ip_pool,
    network_attachment_definition,
    network_daemon_sets,
)
from podmatrix.lab.apiserver.server import ClusterSpec, NodeSpec, serve
from tests.lab.apiserver.local_runtime import LocalRuntime

START_TIMEOUT_S = 10
Serving = Callable[[Callable[[], None]], Coroutine[None, None, None]]


@dataclass(frozen=True, slots=True, kw_only=True)
class ServedCluster:
    """`kubeconfig` has a client certificate; `ca` is what a client without one needs."""

    kubeconfig: Path
    url: str
    ca: Path
    runtimes: dict[str, LocalRuntime]


def cluster_spec(log_dir: Path, nodes: int = 2) -> ClusterSpec:
    return ClusterSpec(
        server_version="v1.34.4",
        nodes=[
            NodeSpec(
                name=f"node{number}",
                internal_ip=f"192.168.31.{127 + number}",
                pod_cidr=f"10.244.{number - 1}.0/24",
                labels={"rank": str(number)},
            )
            for number in range(1, nodes + 1)
        ],
        objects=[
            network_attachment_definition(
                "flannel-conf",
                {
                    "cniVersion": "0.3.0",
                    "type": "flannel",
                    "delegate": {"isDefaultGateway": True},
                },
            ),
            *network_daemon_sets(nodes),
            ip_pool("default-ipv4-ippool", "10.200.0.0/16", vxlan_mode="CrossSubnet"),
        ],
        log_dir=str(log_dir),
    )


def server_context(ca: trustme.CA) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)  # as the lab makes it
    context.verify_mode = ssl.CERT_OPTIONAL
    ca.configure_trust(context)
    ca.issue_cert("127.0.0.1").configure_cert(context)
    return context


def write_kubeconfig(path: Path, ca: trustme.CA, url: str) -> None:
    def data(pem: bytes) -> str:
        return base64.b64encode(pem).decode()

    client = ca.issue_cert(common_name="tester")
    chain = b"".join(blob.bytes() for blob in client.cert_chain_pems)
    cluster = {"server": url, "certificate-authority-data": data(ca.cert_pem.bytes())}
    user = {
        "client-certificate-data": data(chain),
        "client-key-data": data(client.private_key_pem.bytes()),
    }
    context = {"cluster": "lab", "user": "tester", "namespace": "default"}
    config = {
        "apiVersion": "v1",
        "kind": "Config",
        "current-context": "lab",
        "clusters": [{"name": "lab", "cluster": cluster}],
        "users": [{"name": "tester", "user": user}],
        "contexts": [{"name": "lab", "context": context}],
    }
    path.write_text(yaml.safe_dump(config))


@contextmanager
def served_cluster(directory: Path, nodes: int = 2) -> Iterator[ServedCluster]:
    """Serve in a thread until the block ends; then every pod must be gone."""
    ca = trustme.CA()
    sock = socket.create_server(("127.0.0.1", 0), backlog=512)
    url = f"https://127.0.0.1:{sock.getsockname()[1]}"
    write_kubeconfig(directory / "kubeconfig", ca, url)
    ca.cert_pem.write_to_path(str(directory / "ca.pem"))
    spec = cluster_spec(directory / "logs", nodes)
    runtimes = {node.name: LocalRuntime(node.name) for node in spec.nodes}
    context = server_context(ca)

    async def serving(on_ready: Callable[[], None]) -> None:
        await serve(
            sock=sock, ssl_context=context, cluster=spec, runtimes=runtimes, on_ready=on_ready
        )

    with _in_thread(serving):
        yield ServedCluster(
            kubeconfig=directory / "kubeconfig",
            url=url,
            ca=directory / "ca.pem",
            runtimes=runtimes,
        )
    assert not any(runtime.sandboxes for runtime in runtimes.values())


@contextmanager
def _in_thread(serving: Serving) -> Iterator[None]:
    ready, loop = threading.Event(), asyncio.new_event_loop()
    task = loop.create_task(serving(ready.set))

    def run() -> None:
        try:
            loop.run_until_complete(asyncio.wait({task}))
        finally:
            loop.run_until_complete(loop.shutdown_default_executor())
            loop.close()

    thread = threading.Thread(target=run)
    thread.start()
    try:
        assert ready.wait(START_TIMEOUT_S), "the server did not start"
        yield
    finally:
        loop.call_soon_threadsafe(task.cancel)
        thread.join()
    assert task.cancelled()
