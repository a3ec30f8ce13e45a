"""One exec over a WebSocket: channels 0 stdin, 1 stdout, 2 stderr, 3 status, 4 resize, 255 close.

`v4.channel.k8s.io` and `v5.channel.k8s.io` (the latter with channel 255), as in
k8s.io/apimachinery/pkg/util/remotecommand. The process outlives its connection, as under a
real kubelet: its output is then read and dropped, so that it does not block.
"""

import asyncio
import json
import logging
from collections.abc import Sequence

from aiohttp import WSMsgType, web

from podmatrix.lab.apiserver.codec import GONE, encode
from podmatrix.lab.apiserver.exec_process import ExecProcess, Streams
from podmatrix.lab.apiserver.exec_status import (
    exit_status,
    may_be_not_executed,
    not_executed,
    start_failed,
)
from podmatrix.lab.runtime import SpawnCommand

log = logging.getLogger(__name__)

PROTOCOLS = ("v5.channel.k8s.io", "v4.channel.k8s.io")
STDIN, STDOUT, STDERR, STATUS, RESIZE, CLOSE = 0, 1, 2, 3, 4, 255


class ExecSession:
    """Carries the streams of one command to one client."""

    def __init__(
        self,
        socket: web.WebSocketResponse,
        streams: Streams,
        argv: Sequence[str],
        tasks: set["asyncio.Task[None]"],
    ) -> None:
        """`tasks` holds what carries the streams, also when the client is gone: to be cancelled."""
        self._tasks = tasks
        self._socket = socket
        self._streams = streams
        self._argv = argv
        self._connected = True
        self._sent = False

    async def run(self, command: SpawnCommand) -> None:
        """Run the command to its end, or until the client has gone."""
        if not self._argv:
            await self._send(STATUS, encode(start_failed("args must not be empty: unknown")))
            return
        try:
            process = ExecProcess(command, self._streams)
        except OSError as exc:
            await self._send(STATUS, encode(start_failed(str(exc))))
            return
        await self._send(STDOUT if self._streams.stdout else STDERR, b"")
        carrying = asyncio.create_task(self._carry(process))
        receiving = asyncio.create_task(self._receive(process))
        self._tasks.add(carrying)
        carrying.add_done_callback(self._tasks.discard)
        try:
            await asyncio.wait({carrying, receiving}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            self._connected = carrying.done() and self._connected
            receiving.cancel()
            process.close("stdin")

    async def _carry(self, process: ExecProcess) -> None:
        """Output as it comes, then the status: the last that is said."""
        outputs = [
            asyncio.create_task(self._forward(process, name, channel))
            for name, channel in (("stdout", STDOUT), ("stderr", STDERR))
            if getattr(process, name) is not None
        ]
        try:
            code = await process.wait()
            held = b"".join(await asyncio.gather(*outputs))
        except asyncio.CancelledError:
            for one in outputs:
                one.cancel()
            process.kill()
            raise
        status = exit_status(code, self._argv)
        if held:
            why = not_executed(held, self._argv) if code in (126, 127) else ""
            if why:
                status = start_failed(why)
            else:
                await self._send(STDERR, held)
        await self._send(STATUS, encode(status))

    async def _forward(self, process: ExecProcess, name: str, channel: int) -> bytes:
        """Send what a stream gives; returns what may be words of the runtime, not of the command.

        Those are told from the command's own by being the first and only thing on stderr.
        """
        held = b""
        async for chunk in process.read(name):
            held += chunk
            if channel == STDERR and not self._sent and may_be_not_executed(held):
                continue
            await self._send(channel, held)
            held, self._sent = b"", True
        return held

    async def _receive(self, process: ExecProcess) -> None:
        async for message in self._socket:
            if message.type is WSMsgType.TEXT:
                await self._received(process, message.data.encode())
            elif message.type is WSMsgType.BINARY:
                await self._received(process, message.data)

    async def _received(self, process: ExecProcess, data: bytes) -> None:
        if not data:
            return
        channel, content = data[0], data[1:]
        if channel == STDIN:
            await process.write(content)
        elif channel == RESIZE:
            _resize(process, content)
        elif channel == CLOSE and content == bytes((STDIN,)):
            process.close("stdin")

    async def _send(self, channel: int, content: bytes) -> None:
        """Send a frame, waiting until the client takes it; to nobody where it has gone."""
        if not self._connected or self._socket.closed:
            return
        try:
            await self._socket.send_bytes(bytes((channel,)) + content)
        except GONE:
            self._connected = False


def _resize(process: ExecProcess, content: bytes) -> None:
    """A size that cannot be read changes nothing, as under a real kubelet."""
    try:
        size = json.loads(content)
        width, height = int(size["Width"]), int(size["Height"])
    except (ValueError, KeyError, TypeError) as exc:
        log.debug("resize: %s", exc)
        return
    process.resize(width & 0xFFFF, height & 0xFFFF)
