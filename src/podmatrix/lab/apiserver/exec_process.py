"""A process started by exec: pipes or a terminal, read only as fast as they are taken.

No asyncio subprocess: its standard input is a socket, which `/dev/stdin` does not open, and it
reads ahead. The end of a process is seen through a pidfd.
"""

import asyncio
import errno
import fcntl
import os
import struct
import subprocess
import termios
from collections.abc import AsyncIterator
from contextlib import ExitStack
from dataclasses import dataclass

from podmatrix.lab.runtime import SpawnCommand

CHUNK = 32 * 1024
"""Bytes read at once: the size of a frame of a real kubelet."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Streams:
    """The streams that the client asked for."""

    stdin: bool
    stdout: bool
    stderr: bool
    tty: bool


class ExecProcess:
    """One command with its streams: `stdin`, `stdout`, `stderr` are descriptors or None."""

    def __init__(self, command: SpawnCommand, streams: Streams) -> None:
        """Start it. Raises OSError where the runtime's own command cannot be started."""
        self.stdin: int | None = None
        self.stdout: int | None = None
        self.stderr: int | None = None
        self._terminal: int | None = None
        if streams.tty:
            self._process = self._start_on_terminal(command, streams)
        else:
            self._process = self._start_on_pipes(command, streams)

    def _start_on_pipes(self, command: SpawnCommand, streams: Streams) -> subprocess.Popen[bytes]:
        with ExitStack() as inner, ExitStack() as undo:
            ends: dict[str, int] = {}
            for name in ("stdin", "stdout", "stderr"):
                if not getattr(streams, name):
                    ends[name] = subprocess.DEVNULL
                    continue
                read, write = os.pipe()
                ours, ends[name] = (write, read) if name == "stdin" else (read, write)
                inner.callback(os.close, ends[name])
                undo.callback(os.close, ours)
                os.set_blocking(ours, False)
                setattr(self, name, ours)
            process = subprocess.Popen(
                command.argv,
                env=dict(command.env),
                stdin=ends["stdin"],
                stdout=ends["stdout"],
                stderr=ends["stderr"],
                start_new_session=True,
            )
            undo.pop_all()
        return process

    def _start_on_terminal(
        self, command: SpawnCommand, streams: Streams
    ) -> subprocess.Popen[bytes]:
        master, slave = os.openpty()
        os.set_blocking(master, False)
        self._terminal = self.stdout = master
        self.stdin = os.dup(master) if streams.stdin else None
        try:
            # setsid makes the terminal, its standard input, the controlling one.
            return subprocess.Popen(
                ("setsid", "--ctty", *command.argv),
                env={"TERM": "xterm", **command.env},
                stdin=slave,
                stdout=slave,
                stderr=slave,
            )
        except OSError:
            self.close("stdin")
            self.close("stdout")
            raise
        finally:
            os.close(slave)

    def resize(self, width: int, height: int) -> None:
        """Set the size of the terminal, if there is one."""
        if self._terminal is not None and self.stdout is not None:
            size = struct.pack("HHHH", height, width, 0, 0)
            fcntl.ioctl(self._terminal, termios.TIOCSWINSZ, size)

    def close(self, name: str) -> None:
        """Close a stream; nothing happens where it is closed already."""
        fd = getattr(self, name)
        setattr(self, name, None)
        if fd is not None:
            os.close(fd)

    async def read(self, name: str) -> AsyncIterator[bytes]:
        """What the process writes to a stream, until all who hold it have closed it."""
        while (fd := getattr(self, name)) is not None:
            try:
                chunk = os.read(fd, CHUNK)
            except BlockingIOError:
                await _ready(fd, write=False)
                continue
            except OSError as exc:
                if exc.errno != errno.EIO:  # a terminal whose other side is closed
                    raise
                chunk = b""
            if not chunk:
                self.close(name)
                return
            yield chunk

    async def write(self, data: bytes) -> None:
        """Give it standard input; what it does not read any more is dropped."""
        left = memoryview(data)
        while left and (fd := self.stdin) is not None:
            try:
                left = left[os.write(fd, left) :]
            except BlockingIOError:
                await _ready(fd, write=True)
            except OSError:  # it has closed its side, or ended
                self.close("stdin")

    async def wait(self) -> int:
        """Its exit status, 128 + signal where one ended it."""
        pidfd = os.pidfd_open(self._process.pid)
        try:
            await _ready(pidfd, write=False)
        finally:
            os.close(pidfd)
        code = self._process.wait()
        return code if code >= 0 else 128 - code

    def kill(self) -> None:
        """End it and what is there of its streams, without another word."""
        self._process.kill()
        self._process.wait()
        for name in ("stdin", "stdout", "stderr"):
            self.close(name)


async def _ready(fd: int, *, write: bool) -> None:
    """Until a descriptor can be read, or written."""
    loop = asyncio.get_running_loop()
    ready: asyncio.Future[None] = loop.create_future()

    def wake() -> None:
        if not ready.done():
            ready.set_result(None)

    if write:
        loop.add_writer(fd, wake)
    else:
        loop.add_reader(fd, wake)
    try:
        await ready
    finally:
        if write:
            loop.remove_writer(fd)
        else:
            loop.remove_reader(fd)
