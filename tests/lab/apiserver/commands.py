"""exec as a client does it: by the official client, or frame by frame."""

import json
import ssl
from typing import Any, cast
from urllib.parse import urlencode

import websocket
from kubernetes import client, stream

from tests.lab.apiserver.pods import Namespace

TIMEOUT_S = 20
STDIN, STDOUT, STDERR, STATUS, RESIZE, CLOSE = 0, 1, 2, 3, 4, 255
V4, V5 = "v4.channel.k8s.io", "v5.channel.k8s.io"


def start(core: client.CoreV1Api, namespace: Namespace, *command: str, **streams: object) -> Any:  # noqa: ANN401 - the official client's own type is not annotated
    """Start a command in pod `p` with the official client."""
    official: Any = stream
    return official.stream(
        core.connect_get_namespaced_pod_exec,
        "p",
        namespace.name,
        command=list(command),
        **{"stdout": True, "stderr": True, "_preload_content": False, **streams},
    )


def finished(core: client.CoreV1Api, namespace: Namespace, *command: str) -> tuple[int, str, str]:
    """Exit status, stdout and stderr of a command in pod `p`."""
    running = start(core, namespace, *command)
    running.run_forever(timeout=TIMEOUT_S)
    output = running.read_stdout(timeout=1), running.read_stderr(timeout=1)
    code = running.returncode
    hang_up(running)
    return code, *output


def hang_up(running: Any) -> None:  # noqa: ANN401 - as above
    """Close the socket: close() of the client leaves it open where the server closed first."""
    running.sock.shutdown()


class Frames:
    """A WebSocket to pods/exec, frame by frame."""

    def __init__(
        self,
        namespace: Namespace,
        *command: str,
        protocol: str = V5,
        name: str = "p",
        **query: object,
    ) -> None:
        asked = [("command", one) for one in command] + [
            (key, str(value)) for key, value in (query or {"stdout": 1, "stderr": 1}).items()
        ]
        context: ssl.SSLContext = namespace.http.context
        self.socket: Any = websocket.create_connection(
            f"wss://{namespace.http.url.partition('//')[2]}{namespace.pods}/{name}/exec?"
            + urlencode(asked),
            subprotocols=[protocol],
            sslopt={"context": context},
            timeout=TIMEOUT_S,
        )

    def send(self, channel: int, content: bytes) -> None:
        self.socket.send_binary(bytes((channel,)) + content)

    def until_closed(self) -> dict[int, bytes]:
        """What came on each channel until the server closed the connection."""
        found: dict[int, bytes] = {}
        while True:
            opcode, data = self.socket.recv_data()
            if opcode == websocket.ABNF.OPCODE_CLOSE:
                self.hang_up()
                return found
            found[data[0]] = found.get(data[0], b"") + data[1:]

    def line(self, channel: int) -> str:
        """The first line, which only a channel is to carry."""
        seen = b""
        while b"\n" not in seen:
            _, data = self.socket.recv_data()
            assert data[0] == channel, data
            seen += data[1:]
        return seen.partition(b"\n")[0].decode()

    def hang_up(self) -> None:
        """Close the connection without a word."""
        self.socket.shutdown()


def status(frames: dict[int, bytes]) -> dict[str, Any]:
    """The Status on the error channel."""
    return cast("dict[str, Any]", json.loads(frames[STATUS]))
