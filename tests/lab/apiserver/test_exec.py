import json
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import websocket
from kubernetes import client

from podmatrix.polling import wait_until
from tests.lab.apiserver.commands import (
    CLOSE,
    RESIZE,
    STDERR,
    STDIN,
    STDOUT,
    TIMEOUT_S,
    V4,
    V5,
    Frames,
    finished,
    hang_up,
    start,
    status,
)
from tests.lab.apiserver.pods import Namespace, pod

TEN_MB = "head -c 10000000 /dev/zero | tr '\\0' x"
FIFTY_MB = 50_000_000


class Written:
    """How many bytes a process has written."""

    def __init__(self, pid: int) -> None:
        self._io = Path(f"/proc/{pid}/io")
        self.count = -1
        self._polls = 0

    def stands_still(self) -> bool:
        """Whether it was the same at the last twenty looks."""
        before, self.count = self.count, int(self._io.read_text().split()[3])
        self._polls = self._polls + 1 if before == self.count else 0
        return self._polls >= 20


@pytest.fixture
def running(namespace: Namespace) -> Namespace:
    """A namespace in which pod `p` runs."""
    namespace.run(pod())
    return namespace


@pytest.mark.parametrize("code", [0, 1, 3, 126, 127, 255])
def test_streams_are_apart_and_the_exit_status_arrives(
    core: client.CoreV1Api, running: Namespace, code: int
) -> None:
    script = f"echo out; echo err >&2; exit {code}"
    assert finished(core, running, "sh", "-c", script) == (code, "out\n", "err\n")


def test_the_end_by_a_signal_is_128_and_its_number(
    core: client.CoreV1Api, running: Namespace
) -> None:
    assert finished(core, running, "sh", "-c", "kill -9 $$")[0] == 137


def test_arguments_arrive_as_they_are(core: client.CoreV1Api, running: Namespace) -> None:
    words = ("a b", "&c=d", "é\n", "$HOME", "")
    expected = "".join(f"[{one}]" for one in words)
    assert finished(core, running, "printf", "[%s]", *words)[1] == expected


def test_a_command_of_100_kb_is_taken(core: client.CoreV1Api, running: Namespace) -> None:
    long = "x" * 100_000
    assert finished(core, running, "sh", "-c", 'printf %s "${#1}"', "sh", long)[1] == "100000"


def test_ten_megabytes_arrive_whole(core: client.CoreV1Api, running: Namespace) -> None:
    code, stdout, _ = finished(core, running, "sh", "-c", TEN_MB)
    assert (code, len(stdout), set(stdout)) == (0, 10_000_000, {"x"})


def test_sixty_four_commands_at_once(core: client.CoreV1Api, running: Namespace) -> None:
    def one(number: int) -> dict[int, bytes]:
        return Frames(running, "sh", "-c", f"sleep 0.1; echo {number}").until_closed()

    with ThreadPoolExecutor(64) as pool:
        outputs = [frames[STDOUT] for frames in pool.map(one, range(64))]
    assert outputs == [f"{number}\n".encode() for number in range(64)]


def test_the_client_can_write_to_standard_input(core: client.CoreV1Api, running: Namespace) -> None:
    shell = start(core, running, "sh", stdin=True)
    shell.write_stdin("echo $((6 * 7)); exit 5\n")
    shell.run_forever(timeout=TIMEOUT_S)
    assert (shell.read_stdout(timeout=1), shell.returncode) == ("42\n", 5)
    hang_up(shell)


def test_standard_input_can_be_closed_in_v5(running: Namespace) -> None:
    frames = Frames(running, "cat", stdin=1, stdout=1)
    frames.send(STDIN, b"one\ntwo\n")
    frames.send(CLOSE, bytes((STDIN,)))
    found = frames.until_closed()
    assert (found[STDOUT], status(found)["status"]) == (b"one\ntwo\n", "Success")


def test_a_megabyte_of_standard_input_arrives_whole(running: Namespace) -> None:
    frames = Frames(running, "wc", "-c", stdin=1, stdout=1)
    for _ in range(16):
        frames.send(STDIN, b"x" * 65536)
    frames.send(CLOSE, bytes((STDIN,)))
    assert frames.until_closed()[STDOUT].strip() == b"1048576"


def test_without_standard_input_it_is_at_its_end(
    core: client.CoreV1Api, running: Namespace
) -> None:
    assert finished(core, running, "cat") == (0, "", "")


@pytest.mark.parametrize("protocol", [V4, V5])
def test_the_protocol_that_was_asked_for_is_spoken(running: Namespace, protocol: str) -> None:
    frames = Frames(running, "true", protocol=protocol)
    assert frames.socket.getsubprotocol() == protocol
    assert status(frames.until_closed()) == {"metadata": {}, "status": "Success"}


def test_the_status_of_a_failure_is_that_of_a_real_kubelet(running: Namespace) -> None:
    found = status(Frames(running, "sh", "-c", "exit 3").until_closed())
    assert found["message"] == (
        "command terminated with non-zero exit code: "
        "error executing command [sh -c exit 3], exit code 3"
    )
    assert found["reason"] == "NonZeroExitCode"
    assert found["details"] == {"causes": [{"reason": "ExitCode", "message": "3"}]}


@pytest.mark.parametrize(
    ("command", "words"),
    [
        ("nosuch", 'exec: "nosuch": executable file not found in $PATH: unknown'),
        (
            "/no/such/command",
            'exec: "/no/such/command": stat /no/such/command: no such file or directory: unknown',
        ),
        ("/etc/passwd", 'exec: "/etc/passwd": permission denied: unknown'),
    ],
)
def test_a_command_that_cannot_be_started_says_so_in_the_runtimes_words(
    running: Namespace, command: str, words: str
) -> None:
    frames = Frames(running, command).until_closed()
    found = status(frames)
    assert STDERR not in frames
    assert (found["reason"], found["code"]) == ("InternalError", 500)
    assert found["message"].endswith(
        f"OCI runtime exec failed: exec failed: unable to start container process: {words}"
    )


def test_a_commands_own_words_stay_on_its_standard_error(running: Namespace) -> None:
    script = "echo 'nsenter: failed to execute x: No such file or directory' >&2; exit 127"
    frames = Frames(running, "sh", "-c", script).until_closed()
    assert frames[STDERR].startswith(b"nsenter: failed to execute x")
    assert status(frames)["details"]["causes"][0]["message"] == "127"


def test_no_command_is_an_error(running: Namespace) -> None:
    assert "args must not be empty" in status(Frames(running).until_closed())["message"]


def test_a_process_outlives_its_connection(running: Namespace, tmp_path: Path) -> None:
    script = f"echo ready; for i in $(seq 3000); do echo $i; done; sleep 0.2; touch {tmp_path}/end"
    frames = Frames(running, "sh", "-c", script)
    assert frames.line(STDOUT) == "ready"
    frames.hang_up()
    wait_until((tmp_path / "end").exists, timeout_s=TIMEOUT_S, what="the end of the process")


def test_a_slow_reader_holds_the_process_back(running: Namespace, tmp_path: Path) -> None:
    writer = f"echo $$; exec head -c {FIFTY_MB} /dev/zero"
    script = f"sh -c '{writer}'; touch {tmp_path}/end"
    frames = Frames(running, "sh", "-c", script)
    written = Written(int(frames.line(STDOUT)))
    wait_until(written.stands_still, timeout_s=TIMEOUT_S, what="the process to be held back")
    assert 0 < written.count < FIFTY_MB
    frames.hang_up()
    wait_until((tmp_path / "end").exists, timeout_s=TIMEOUT_S, what="the end of the process")


def test_a_terminal_has_one_stream_a_size_and_a_type(running: Namespace) -> None:
    script = "read _; tty >/dev/null && echo $TERM $(stty size); echo err >&2; exit 4"
    frames = Frames(running, "sh", "-c", script, stdin=1, stdout=1, tty=1)
    frames.send(RESIZE, json.dumps({"Width": 100, "Height": 40}).encode())
    frames.send(STDIN, b"\n")
    found = frames.until_closed()
    assert found[STDOUT].split() == [b"xterm", b"40", b"100", b"err"]
    assert status(found)["details"]["causes"][0]["message"] == "4"


@pytest.mark.parametrize(
    ("query", "code", "words"),
    [
        ({"name": "nosuch", "stdout": 1}, 404, "nosuch"),
        ({"container": "x", "stdout": 1}, 400, "container x is not valid for pod p"),
        ({"stdin": 0}, 400, "you must specify at least 1 of stdin, stdout, stderr"),
        ({"stdout": 1, "protocol": "v9.channel.k8s.io"}, 403, "v5.channel.k8s.io"),
    ],
)
def test_what_cannot_be_is_refused_before_the_upgrade(
    running: Namespace, query: dict[str, object], code: int, words: str
) -> None:
    with pytest.raises(websocket.WebSocketBadStatusException) as refused:
        Frames(running, "id", **query)  # type: ignore[arg-type]  # name and protocol are among them
    assert refused.value.status_code == code
    assert words in str(refused.value.resp_body)


@pytest.mark.parametrize(
    ("spec", "code", "words"),
    [
        ({"nodeSelector": {"rank": "9"}}, 400, "pod p does not have a host assigned"),
        ({"restartPolicy": "Never"}, 500, 'container not found ("main")'),
    ],
)
def test_a_pod_that_does_not_run_takes_no_commands(
    namespace: Namespace, spec: dict[str, object], code: int, words: str
) -> None:
    namespace.create(pod("p", "true", **spec))
    if code == 500:
        namespace.wait_phase("Succeeded")
    with pytest.raises(websocket.WebSocketBadStatusException) as refused:
        Frames(namespace, "id")
    assert refused.value.status_code == code
    assert words in str(refused.value.resp_body)


def test_several_containers_need_a_choice(namespace: Namespace) -> None:
    containers = [
        {"name": name, "image": "i", "command": ["sleep", "300"]} for name in ("one", "two")
    ]
    namespace.run(pod(containers=containers))
    refused = namespace.http.get(f"{namespace.pods}/p/exec", command="id", stdout=1)
    assert (refused.status, "choose one of: [one two]" in refused.message) == (400, True)
    chosen = Frames(namespace, "echo", "hi", container="two", stdout=1).until_closed()
    assert chosen[STDOUT] == b"hi\n"


def test_spdy_is_refused_with_the_cure(running: Namespace) -> None:
    headers = {"Connection": "Upgrade", "Upgrade": "SPDY/3.1"}
    path = f"{running.pods}/p/exec"
    answer = running.http("POST", path, headers=headers, command="id", stdout=1)
    assert (answer.status, "only WebSocket is served" in answer.message) == (400, True)
