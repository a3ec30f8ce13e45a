"""What is made of an exec, healthy and broken in every way a connection can break."""

import asyncio
import json
import threading

import pytest
from aiohttp import web

from podmatrix.cluster.client import Cluster
from podmatrix.cluster.execution import run
from podmatrix.cluster.failures import ExecStatusError
from podmatrix.errors import ExecError
from podmatrix.model import Completed
from tests.cluster.server import (
    SUCCESS,
    Answer,
    Execution,
    Server,
    cut,
    printing,
    send,
    wait_for_ever,
)


def execute(cluster: Cluster, *argv: str, timeout_s: float = 5.0) -> Completed:
    return run(cluster, "ns", "p", "probe", argv or ("true",), timeout_s=timeout_s)


def test_output_and_exit_status_come_back(server: Server, cluster: Cluster) -> None:
    server.on_exec("p", printing("hello\n", 3))
    completed = execute(cluster, "sh", "-c", "echo hello; exit 3")
    assert (completed.stdout, completed.returncode) == ("hello\n", 3)
    assert completed.argv == ("sh", "-c", "echo hello; exit 3")


def test_the_command_arrives_word_by_word(server: Server, cluster: Cluster) -> None:
    async def echo(socket: web.WebSocketResponse, argv: list[str]) -> None:
        await send(socket, 1, json.dumps(argv).encode())
        await send(socket, 3, json.dumps(SUCCESS).encode())

    server.on_exec("p", echo)
    words = ["/bin/sh", "-c", "a & b; echo '#%+'\n$x", "", "ä"]
    assert json.loads(execute(cluster, *words).stdout) == words


def test_streams_are_kept_apart(server: Server, cluster: Cluster) -> None:
    async def both(socket: web.WebSocketResponse, _argv: list[str]) -> None:
        await send(socket, 2, b"err")
        await send(socket, 1, b"out")
        await send(socket, 3, json.dumps(SUCCESS).encode())

    server.on_exec("p", both)
    completed = execute(cluster)
    assert (completed.stdout, completed.stderr) == ("out", "err")


def test_a_character_split_between_frames_survives(server: Server, cluster: Cluster) -> None:
    async def split(socket: web.WebSocketResponse, _argv: list[str]) -> None:
        first, second = "ä".encode()[:1], "ä".encode()[1:]
        await send(socket, 1, first)
        await asyncio.sleep(0.05)
        await send(socket, 1, second)
        await send(socket, 3, json.dumps(SUCCESS).encode())

    server.on_exec("p", split)
    assert execute(cluster).stdout == "ä"


def test_megabytes_arrive_whole(server: Server, cluster: Cluster) -> None:
    server.on_exec("p", printing("0123456789abcde\n" * 200_000))
    assert len(execute(cluster, timeout_s=20).stdout) == 3_200_000


async def cut_after_output(socket: web.WebSocketResponse, _argv: list[str]) -> None:
    await send(socket, 1, b"half an ans")
    await asyncio.sleep(0.05)
    await cut(socket)


async def cut_at_once(socket: web.WebSocketResponse, _argv: list[str]) -> None:
    await cut(socket)


async def closed_without_status(socket: web.WebSocketResponse, _argv: list[str]) -> None:
    await send(socket, 1, b"whole")


async def torn_status(socket: web.WebSocketResponse, _argv: list[str]) -> None:
    await send(socket, 3, b'{"status": "Succ')


@pytest.mark.parametrize(
    "play", [cut_after_output, cut_at_once, closed_without_status, torn_status]
)
def test_without_a_status_there_is_no_exit_status(
    server: Server, cluster: Cluster, play: Execution
) -> None:
    server.on_exec("p", play)
    assert execute(cluster).returncode is None


async def silence(socket: web.WebSocketResponse, _argv: list[str]) -> None:
    await wait_for_ever(socket)


async def drip(socket: web.WebSocketResponse, _argv: list[str]) -> None:
    for _ in range(100):
        await send(socket, 1, b".")
        await asyncio.sleep(0.05)


async def half_a_frame(socket: web.WebSocketResponse, _argv: list[str]) -> None:
    transport = socket._req.transport if socket._req else None
    assert isinstance(transport, asyncio.Transport)
    # A binary frame that announces 100 bytes and brings one (RFC 6455, section 5.2).
    transport.write(bytes([0x82, 100, 1]))
    await wait_for_ever(socket)


@pytest.mark.parametrize("play", [silence, drip, half_a_frame])
def test_what_does_not_end_is_an_error_at_the_deadline(
    server: Server, cluster: Cluster, play: Execution
) -> None:
    server.on_exec("p", play)
    with pytest.raises(ExecError, match=r"did not end within 0\.6 s"):
        execute(cluster, timeout_s=0.6)


def test_it_can_be_called_off(server: Server, cluster: Cluster) -> None:
    server.on_exec("p", silence)
    cancelled = threading.Event()
    threading.Timer(0.2, cancelled.set).start()
    with pytest.raises(ExecError, match="interrupted"):
        run(cluster, "ns", "p", "probe", ["true"], timeout_s=60, cancelled=cancelled)


@pytest.mark.parametrize("status", [400, 403, 404, 429])
def test_a_refusal_tells_status_and_message(server: Server, cluster: Cluster, status: int) -> None:
    server.on_exec("p", Answer(status=status, body={"message": "because of tests"}))
    with pytest.raises(ExecStatusError, match="because of tests") as caught:
        execute(cluster)
    assert caught.value.status == status
    assert server.requests.count("exec p") == 1


@pytest.mark.parametrize("status", [500, 502, 503, 504])
def test_a_kubelet_that_is_away_for_a_moment_is_asked_again(
    server: Server, cluster: Cluster, status: int
) -> None:
    server.on_exec("p", Answer(status=status, body={"message": "x"}), printing("here"))
    assert execute(cluster).stdout == "here"


def test_a_command_that_cannot_be_started_is_an_error(server: Server, cluster: Cluster) -> None:
    failure = {"status": "Failure", "message": "executable file not found in $PATH"}

    async def no_shell(socket: web.WebSocketResponse, _argv: list[str]) -> None:
        await send(socket, 3, json.dumps(failure).encode())

    server.on_exec("p", no_shell)
    with pytest.raises(ExecError, match="executable file not found"):
        execute(cluster)


def test_a_server_that_is_gone_is_an_error(cluster: Cluster, server: Server) -> None:
    cluster._configuration.host = "http://127.0.0.1:1"
    with pytest.raises(ExecError, match="cannot be reached"):
        execute(cluster)
