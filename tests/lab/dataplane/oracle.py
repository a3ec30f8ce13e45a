"""What really happens between namespaces, seen with plain sockets and `ping`: no podmatrix here.

`python oracle.py ask` reads `[{"name", "netns", "targets": [[name, address, bound_to]]}]` and
prints who answered what: every namespace gets a server that tells its peer's address back, and a
prober. `bound_to` is an interface or a source address, or empty.
"""

import json
import socket
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

PORT = 7100
TIMEOUT_S = 0.7


def serve() -> None:
    with socket.create_server(("0.0.0.0", PORT), backlog=128) as server:
        sys.stdout.write("ready\n")
        sys.stdout.flush()
        while True:
            connection, peer = server.accept()
            with connection:
                connection.sendall(peer[0].encode())


def connect(target: tuple[str, str, str]) -> str | None:
    """The source address that the other side saw; None where nothing came back."""
    _, address, bound_to = target
    with socket.socket() as client:
        client.settimeout(TIMEOUT_S)
        if "." in bound_to:
            client.bind((bound_to, 0))
        elif bound_to:
            client.setsockopt(socket.SOL_SOCKET, socket.SO_BINDTODEVICE, bound_to.encode())
        try:
            client.connect((address, PORT))
            return client.recv(64).decode() or None
        except OSError:
            return None


def ping(target: tuple[str, str, str]) -> bool:
    _, address, bound_to = target
    argv = [
        "ping",
        "-n",
        "-c",
        "1",
        "-W",
        str(TIMEOUT_S),
        *(["-I", bound_to] if bound_to else []),
        address,
    ]
    return subprocess.run(argv, capture_output=True).returncode == 0


def probe() -> None:
    targets = [tuple(target) for target in json.load(sys.stdin)]
    with ThreadPoolExecutor(32) as pool:
        peers, pings = list(pool.map(connect, targets)), list(pool.map(ping, targets))
    answers = {
        f"{name}{'!' + bound_to if bound_to else ''}": {"peer": peer, "ping": answered}
        for (name, _, bound_to), peer, answered in zip(targets, peers, pings, strict=True)
    }
    json.dump(answers, sys.stdout)


def ask(plan: list[dict[str, object]]) -> dict[str, object]:
    """Serve in every namespace, probe from each; a list of one dict for each namespace."""
    here = [sys.executable, __file__]
    servers = [
        subprocess.Popen(
            ["nsenter", f"--net={entry['netns']}", *here, "serve"], stdout=subprocess.PIPE
        )
        for entry in plan
    ]
    try:
        for server in servers:
            assert server.stdout is not None
            server.stdout.readline()
        with ThreadPoolExecutor(len(plan)) as pool:
            answers = pool.map(lambda entry: _ask_one(here, entry), plan)
            return {str(entry["name"]): answer for entry, answer in zip(plan, answers, strict=True)}
    finally:
        for server in servers:
            server.kill()
            server.wait()
            assert server.stdout is not None
            server.stdout.close()


def _ask_one(here: list[str], entry: dict[str, object]) -> object:
    completed = subprocess.run(
        ["nsenter", f"--net={entry['netns']}", *here, "probe"],
        input=json.dumps(entry["targets"]),
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    )
    return json.loads(completed.stdout)


if __name__ == "__main__":
    if sys.argv[1] == "serve":
        serve()
    elif sys.argv[1] == "probe":
        probe()
    else:
        json.dump(ask(json.load(sys.stdin)), sys.stdout)
