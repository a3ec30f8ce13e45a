import pytest

from podmatrix.polling import wait_until
from tests.lab.apiserver.pods import TIMEOUT_S, Namespace, pod

TALKS = ("sh", "-c", "echo one; echo two >&2; echo three; sleep 300")


@pytest.fixture
def log(namespace: Namespace) -> str:
    """The path of the log of a pod that has said three lines."""
    path = f"{namespace.pods}/p/log"
    namespace.run(pod("p", *TALKS))
    wait_until(
        lambda: namespace.http.get(path).text.count("\n") == 3, timeout_s=TIMEOUT_S, what="lines"
    )
    return path


def test_both_outputs_are_in_the_log(namespace: Namespace, log: str) -> None:
    assert namespace.http.get(log).text == "one\ntwo\nthree\n"


@pytest.mark.parametrize(
    ("query", "text"),
    [
        ({"tailLines": 1}, "three\n"),
        ({"tailLines": 0}, ""),
        ({"limitBytes": 5}, "one\nt"),
        ({"container": "main"}, "one\ntwo\nthree\n"),
    ],
)
def test_a_part_of_the_log_can_be_had(
    namespace: Namespace, log: str, query: dict[str, object], text: str
) -> None:
    assert namespace.http.get(log, **query).text == text


def test_a_followed_log_ends_with_its_container(namespace: Namespace) -> None:
    command = ("sh", "-c", "echo one; sleep 0.3; echo two")
    namespace.run(pod("p", *command, restartPolicy="Never"))
    assert namespace.http.get(f"{namespace.pods}/p/log", follow="true").text == "one\ntwo\n"


def test_the_log_before_the_restart_can_be_had(namespace: Namespace) -> None:
    namespace.create(pod("p", "sh", "-c", "echo tried; exit 1"))
    namespace.event("BackOff")
    assert namespace.http.get(f"{namespace.pods}/p/log", previous="true").text == "tried\n"


@pytest.mark.parametrize(
    ("query", "words"),
    [
        ({"previous": "true"}, 'previous terminated container "main" in pod "p" not found'),
        ({"container": "x"}, "container x is not valid for pod p"),
        ({"timestamps": "true"}, "timestamps is not supported"),
    ],
)
def test_what_is_not_there_is_a_bad_request(
    namespace: Namespace, log: str, query: dict[str, object], words: str
) -> None:
    answer = namespace.http.get(log, **query)
    assert (answer.status, words in answer.message) == (400, True)


def test_a_container_that_never_ran_has_no_log(namespace: Namespace) -> None:
    waiting = pod()
    waiting["metadata"]["annotations"] = {"k8s.v1.cni.cncf.io/networks": "missing"}
    namespace.create(waiting)
    namespace.event("FailedCreatePodSandBox")
    answer = namespace.http.get(f"{namespace.pods}/p/log")
    assert answer.message == 'container "main" in pod "p" is waiting to start: ContainerCreating'
