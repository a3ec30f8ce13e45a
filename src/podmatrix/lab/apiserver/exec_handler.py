"""pods/exec: who may, what is refused before the upgrade, then a session."""

import asyncio
from collections.abc import Mapping

from aiohttp import web

from podmatrix.errors import LabError
from podmatrix.lab.apiserver.exec_process import Streams
from podmatrix.lab.apiserver.exec_session import PROTOCOLS, ExecSession
from podmatrix.lab.apiserver.kubelet.kubelet import Kubelet
from podmatrix.lab.apiserver.objects import Object, name_of, uid_of
from podmatrix.lab.apiserver.request_info import RequestInfo, flag
from podmatrix.lab.apiserver.status import ApiError, bad_request, method_not_allowed
from podmatrix.lab.apiserver.store import Store
from podmatrix.lab.apiserver.writes import existing
from podmatrix.lab.runtime import ContainerRuntime, SpawnCommand

_MAX_FRAME = 4 * 1024 * 1024


def container_of(pod: Object, asked: str) -> str:
    """The container a request means. Raises ApiError 400 where there is no such, or several."""
    spec = pod["spec"]
    names = [one["name"] for one in spec["containers"]]
    names_of_init = [one["name"] for one in spec.get("initContainers") or []]
    if asked:
        if asked not in names + names_of_init:
            raise bad_request(f"container {asked} is not valid for pod {name_of(pod)}")
        return asked
    if len(names) > 1:
        choices = " ".join(names)
        raise bad_request(
            f"a container name must be specified for pod {name_of(pod)}, choose one of: [{choices}]"
        )
    return str(names[0])


class ExecHandler:
    """Answers requests for pods/exec."""

    def __init__(
        self,
        store: Store,
        kubelets: Mapping[str, Kubelet],
        runtimes: Mapping[str, ContainerRuntime],
    ) -> None:
        self._store = store
        self._kubelets = kubelets
        self._runtimes = runtimes
        self._tasks: set[asyncio.Task[None]] = set()

    async def shut_down(self) -> None:
        """End what was started, also what has outlived its connection."""
        for task in tuple(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def __call__(self, request: web.BaseRequest, info: RequestInfo) -> web.StreamResponse:
        """Upgrade and run the command. Raises ApiError where it is refused before."""
        if request.method not in ("GET", "POST"):
            raise method_not_allowed()
        pod = existing(self._store, info)
        container = container_of(pod, request.query.get("container", ""))
        if not pod["spec"].get("nodeName"):
            raise bad_request(f"pod {name_of(pod)} does not have a host assigned")
        _check_upgrade(request)
        streams = _streams(request)
        if not (streams.stdin or streams.stdout or streams.stderr):
            text = "you must specify at least 1 of stdin, stdout, stderr"
            return web.Response(status=400, text=text)
        argv = tuple(request.query.getall("command", []))
        command = self._command(pod, container, argv)
        if command is None:
            return web.Response(status=500, text=f'container not found ("{container}")\n')
        socket = web.WebSocketResponse(
            protocols=PROTOCOLS, compress=False, max_msg_size=_MAX_FRAME, timeout=1.0
        )
        await socket.prepare(request)
        await ExecSession(socket, streams, argv, self._tasks).run(command)
        await socket.close()
        return socket

    def _command(self, pod: Object, container: str, argv: tuple[str, ...]) -> SpawnCommand | None:
        """How to run it there; None where the container does not run."""
        node_name, uid = pod["spec"]["nodeName"], uid_of(pod)
        kubelet = self._kubelets.get(node_name)
        worker = kubelet.worker(uid) if kubelet is not None else None
        if worker is None or not worker.is_running(container):
            return None
        try:
            return self._runtimes[node_name].exec_command(uid, container, argv)
        except LabError:
            return None  # it ended just now


def _check_upgrade(request: web.BaseRequest) -> None:
    """Only WebSocket with a protocol of PROTOCOLS. Raises ApiError 400 or 403."""
    if "upgrade" not in request.headers.get("Connection", "").lower():
        raise bad_request("Upgrade request required")
    if request.headers.get("Upgrade", "").lower() != "websocket":
        raise bad_request(
            "unable to upgrade: only WebSocket is served here, kubectl 1.30 or newer uses it "
            f"({', '.join(PROTOCOLS)})"
        )
    offered = [one.strip() for one in request.headers.get("Sec-WebSocket-Protocol", "").split(",")]
    if not set(offered) & set(PROTOCOLS):
        known = ", ".join(PROTOCOLS)
        raise ApiError(403, "Forbidden", f"unable to upgrade: none of {offered} is one of {known}")


def _streams(request: web.BaseRequest) -> Streams:
    tty = flag(request.query, "tty")
    return Streams(
        stdin=flag(request.query, "stdin"),
        stdout=flag(request.query, "stdout"),
        stderr=flag(request.query, "stderr") and not tty,
        tty=tty,
    )
