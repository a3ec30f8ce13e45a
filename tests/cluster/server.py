"""An HTTP server that answers as a test tells it to: also in ways no healthy API server would."""

import asyncio
import json
import threading
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml
from aiohttp import WSMsgType, web

from podmatrix.cluster.client import Cluster, connect

SUCCESS = {"metadata": {}, "status": "Success"}

Execution = Callable[[web.WebSocketResponse, list[str]], Awaitable[None]]
"""Plays one exec on an open WebSocket; gets the argv that was asked for."""


def exit_code(code: int) -> dict[str, Any]:
    """The Status of a command that ended with `code`, as kubelets send it."""
    if code == 0:
        return SUCCESS
    cause = {"reason": "ExitCode", "message": str(code)}
    return {"status": "Failure", "reason": "NonZeroExitCode", "details": {"causes": [cause]}}


async def send(socket: web.WebSocketResponse, channel: int, data: bytes) -> None:
    """One frame of v4.channel.k8s.io."""
    await socket.send_bytes(bytes([channel]) + data)


def printing(stdout: str, code: int = 0) -> Execution:
    """A healthy exec."""

    async def execute(socket: web.WebSocketResponse, _argv: list[str]) -> None:
        await send(socket, 1, stdout.encode())
        await send(socket, 3, json.dumps(exit_code(code)).encode())

    return execute


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """A response; `headers` as HTTP has them."""

    status: int = 200
    body: Any = None
    headers: dict[str, str] = field(default_factory=dict)


class Server:
    """Answers by `METHOD path`; several answers one after the other, the last for ever."""

    def __init__(self) -> None:
        self.answers: dict[str, list[Answer]] = {}
        self.executions: dict[str, list[Execution | Answer]] = {}
        self.requests: list[str] = []
        self.bodies: dict[str, Any] = {}
        self.sent: list[tuple[str, Any]] = []
        self.most_execs_at_once = 0
        self._execs = 0
        self.url = ""
        self.on("GET /version", {"gitVersion": "v1.34.4"})

    def on(
        self,
        request: str,
        *bodies: object,
        status: int = 200,
        headers: dict[str, str] | None = None,
    ) -> None:
        """Answer `METHOD path` with these JSON bodies, or the Answers given.

        The method of a watch is WATCH; its body is the list of its events.
        """
        self.answers[request] = [
            body
            if isinstance(body, Answer)
            else Answer(status=status, body=body, headers=headers or {})
            for body in bodies or ({},)
        ]

    def on_exec(self, pod: str, *plays: Execution | Answer) -> None:
        """Play these for execs in a pod, one after the other, the last for ever."""
        self.executions[pod] = list(plays)

    async def handle(self, request: web.Request) -> web.StreamResponse:
        """aiohttp's handler."""
        if request.path.endswith("/exec"):
            return await self._exec(request)
        method = "WATCH" if "watch" in request.query else request.method
        key = f"{method} {request.path.rstrip('/')}"
        self.requests.append(key)
        if request.can_read_body:
            self.bodies[key] = await request.json()
            self.sent.append((key, self.bodies[key]))
        planned = self.answers.get(key)
        if planned is None:
            status = {"kind": "Status", "code": 404, "message": f"{request.path} not found"}
            return web.json_response(status, status=404)
        return _response(planned.pop(0) if len(planned) > 1 else planned[0])

    async def _exec(self, request: web.Request) -> web.StreamResponse:
        pod = request.path.split("/")[-2]
        self.requests.append(f"exec {pod}")
        planned = self.executions[pod]
        play = planned.pop(0) if len(planned) > 1 else planned[0]
        if isinstance(play, Answer):
            return _response(play)
        socket = web.WebSocketResponse(protocols=("v5.channel.k8s.io", "v4.channel.k8s.io"))
        await socket.prepare(request)
        self._execs += 1
        self.most_execs_at_once = max(self.most_execs_at_once, self._execs)
        try:
            await play(socket, request.query.getall("command"))
        finally:
            self._execs -= 1
        await socket.close()
        return socket


def _response(answer: Answer) -> web.Response:
    if isinstance(answer.body, list) and answer.status == 200:
        lines = "".join(json.dumps(event) + "\n" for event in answer.body)
        return web.Response(text=lines)
    return web.json_response(answer.body, status=answer.status, headers=answer.headers)


async def cut(socket: web.WebSocketResponse) -> None:
    """Break the TCP connection without a closing handshake."""
    transport = socket._req.transport if socket._req else None
    assert transport is not None
    transport.abort()


async def wait_for_ever(socket: web.WebSocketResponse) -> None:
    """Say nothing until the other side goes."""
    async for message in socket:
        if message.type is WSMsgType.CLOSE:
            return


@contextmanager
def serving() -> Iterator[Server]:
    """A server on a port of the loopback interface, in a thread of its own."""
    server, loop = Server(), asyncio.new_event_loop()
    app = web.Application(handler_args={"max_line_size": 200_000})
    app.router.add_route("*", "/{tail:.*}", server.handle)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    loop.run_until_complete(runner.setup())
    site = web.TCPSite(runner, "127.0.0.1", 0)
    loop.run_until_complete(site.start())
    host, port = runner.addresses[0][:2]
    server.url = f"http://{host}:{port}"
    thread = threading.Thread(target=loop.run_forever, daemon=True)
    thread.start()
    try:
        yield server
    finally:
        asyncio.run_coroutine_threadsafe(runner.cleanup(), loop).result(timeout=10)
        loop.call_soon_threadsafe(loop.stop)
        thread.join(timeout=10)
        loop.close()


def kubeconfig(path: Path, url: str) -> Path:
    """Write a kubeconfig for a server without TLS."""
    path.write_text(
        yaml.safe_dump(
            {
                "apiVersion": "v1",
                "kind": "Config",
                "current-context": "c",
                "clusters": [{"name": "k", "cluster": {"server": url}}],
                "contexts": [{"name": "c", "context": {"cluster": "k", "user": "u"}}],
                "users": [{"name": "u", "user": {}}],
            }
        )
    )
    return path


def connected(server: Server, folder: Path) -> Cluster:
    """A Cluster that talks to `server`."""
    return connect(kubeconfig=kubeconfig(folder / "kubeconfig", server.url))
