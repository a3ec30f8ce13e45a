"""The server's side of process 1's protocol (`init.py`): start processes, learn how they ended."""

import asyncio
import contextlib
import itertools
import json
import os
import signal
import socket
from typing import Any

from podmatrix.errors import LabError
from podmatrix.lab.init import SpawnSpec


class Process:
    """A process that process 1 started. `pid` is as seen in the lab."""

    def __init__(self, pid: int, ended: "asyncio.Future[int]") -> None:
        self.pid = pid
        self._ended = ended

    @property
    def running(self) -> bool:
        """Whether it has not been reaped yet."""
        return not self._ended.done()

    async def wait(self) -> int:
        """Its exit status, 128 + signal where one ended it."""
        return await asyncio.shield(self._ended)

    def kill(self, number: int = signal.SIGKILL) -> None:
        """Send a signal, unless it is gone."""
        if self.running:
            # Process 1 may have reaped it already; the news is then on its way.
            with contextlib.suppress(ProcessLookupError):
                os.kill(self.pid, number)


class Spawner:
    """Asks process 1 for processes; belongs to one event loop."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer
        self._ids = itertools.count()
        self._asked: dict[int, asyncio.Future[Process]] = {}
        self._running: dict[int, asyncio.Future[int]] = {}
        self._listener = asyncio.get_running_loop().create_task(self._listen())

    @classmethod
    async def connect(cls, sock: socket.socket) -> "Spawner":
        """`sock` is the server's end of the socket to process 1."""
        sock.setblocking(False)
        return cls(*await asyncio.open_unix_connection(sock=sock))

    async def spawn(self, spec: SpawnSpec) -> Process:
        """Start a process. Raises LabError with what the kernel refused."""
        number = next(self._ids)
        answer: asyncio.Future[Process] = asyncio.get_running_loop().create_future()
        self._asked[number] = answer
        self._writer.write(json.dumps({"id": number, "spawn": spec}).encode() + b"\n")
        await self._writer.drain()
        return await answer

    async def _listen(self) -> None:
        while line := await self._reader.readline():
            self._hear(json.loads(line))

    def _hear(self, message: dict[str, Any]) -> None:
        if "exited" in message:
            ended = self._running.pop(message["exited"])
            ended.set_result(message["status"])
            return
        answer = self._asked.pop(message["id"])
        if "error" in message:
            if not answer.cancelled():
                answer.set_exception(LabError(message["error"]))
            return
        exited: asyncio.Future[int] = asyncio.get_running_loop().create_future()
        self._running[message["pid"]] = exited
        process = Process(message["pid"], exited)
        if answer.cancelled():  # nobody waits for it any more
            process.kill()
        else:
            answer.set_result(process)
