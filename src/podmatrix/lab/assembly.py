"""The server of a lab: puts networks, nodes, runtimes and the API together, then serves.

Runs in the sandbox as a child of process 1. Imports what is heavy.
"""

import asyncio
import json
import socket
import ssl
import sys
from collections.abc import Sequence
from pathlib import Path

from podmatrix.lab import netns
from podmatrix.lab.apiserver.server import serve
from podmatrix.lab.apiserver.spec import ClusterSpec, NodeSpec
from podmatrix.lab.baseline import cluster_objects
from podmatrix.lab.boot import Request, Status
from podmatrix.lab.container import NamespaceRuntime
from podmatrix.lab.dataplane.kernel import probe_kernel
from podmatrix.lab.dataplane.node_network import NodeNetwork
from podmatrix.lab.dataplane.plan import NetworkPlan, plan_networks
from podmatrix.lab.dataplane.underlay import set_up_underlay
from podmatrix.lab.image_layers import prepare_images
from podmatrix.lab.network_check import NetworkCheck
from podmatrix.lab.node import Node, start_node
from podmatrix.lab.spawn import Spawner
from podmatrix.lab.topology import Topology


def run_server(
    request: Request, status: Status, to_init: socket.socket, check: NetworkCheck
) -> int:
    """Serve until killed. Raises PodmatrixError where the lab cannot be put together."""
    topology = Topology.model_validate_json(request["topology"])
    check.finish()
    asyncio.run(_run(topology, request["listen_fd"], status, to_init))
    return 0


async def _run(topology: Topology, listen_fd: int, status: Status, to_init: socket.socket) -> None:
    spawner = await Spawner.connect(to_init)
    kernel = await asyncio.to_thread(probe_kernel, topology.calico)
    plan = plan_networks(topology, kernel)
    status.progress(f"underlay and {len(plan.nodes)} nodes, Calico over {plan.encapsulation}")
    images = await asyncio.to_thread(prepare_images)
    networks = await _start_nodes(plan, spawner)
    runtimes = {
        node.name: NamespaceRuntime(node, network, spawner, images) for node, network in networks
    }
    status.progress("the API")
    await serve(
        sock=socket.socket(fileno=listen_fd),
        ssl_context=server_context(json.loads(sys.stdin.buffer.readline())),
        cluster=_cluster_spec(plan, [network for _, network in networks]),
        runtimes=runtimes,
        on_ready=status.ready,
    )


async def _start_nodes(plan: NetworkPlan, spawner: Spawner) -> Sequence[tuple[Node, NodeNetwork]]:
    hosts = {node.name: str(node.address) for node in plan.nodes}
    lab = netns.adopt("lab")
    await asyncio.to_thread(set_up_underlay, plan, lab)

    async def start(name: str) -> tuple[Node, NodeNetwork]:
        namespace = await asyncio.to_thread(netns.create, name)
        node = await start_node(spawner, name, namespace, hosts)
        network = NodeNetwork(plan, name, netns=namespace, files=node.root, lab=lab)
        await asyncio.to_thread(network.set_up)
        return node, network

    return await asyncio.gather(*(start(name) for name in hosts))


def _cluster_spec(plan: NetworkPlan, networks: Sequence[NodeNetwork]) -> ClusterSpec:
    return ClusterSpec(
        server_version=plan.topology.kubernetes_version,
        nodes=[
            NodeSpec(
                name=network.name,
                internal_ip=str(network.node.address),
                pod_cidr=network.pod_cidr,
                annotations=network.annotations,
            )
            for network in networks
        ],
        objects=cluster_objects(plan),
    )


def server_context(credentials: dict[str, str]) -> ssl.SSLContext:
    """TLS that asks for a client certificate; who shows none is turned away by the API (401)."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    certificate = Path("/run/podmatrix-server.pem")
    certificate.touch(mode=0o600)
    certificate.write_text(credentials["server"])
    context.load_cert_chain(certificate)
    certificate.unlink()
    context.load_verify_locations(cadata=credentials["ca"])
    context.verify_mode = ssl.CERT_OPTIONAL
    return context
