import pytest

from podmatrix.lab.apiserver.exec_status import may_be_not_executed, not_executed

NO_FILE = b"No such file or directory\n"


@pytest.mark.parametrize(
    "stderr",
    [
        b"nsenter: failed to execute x: " + NO_FILE,
        b"setpriv: failed to execute x: " + NO_FILE,
        b"env: \xe2\x80\x98x\xe2\x80\x99: " + NO_FILE,
        b"env: 'x': " + NO_FILE,
    ],
)
def test_the_tools_words_are_known(stderr: bytes) -> None:
    assert 'exec: "x": executable file not found in $PATH' in not_executed(stderr, ["x"])


@pytest.mark.parametrize(
    "stderr",
    [
        b"",
        b"x: failed to execute x: " + NO_FILE,
        b"nsenter: failed to execute y: " + NO_FILE,
        b"nsenter: failed to execute x: " + NO_FILE + b"more\n",
        b"nsenter: cannot open /proc/1/ns/net: " + NO_FILE,
    ],
)
def test_other_words_are_not_taken_for_them(stderr: bytes) -> None:
    assert not_executed(stderr, ["x"]) == ""


def test_words_that_come_in_pieces_are_waited_for() -> None:
    whole = b"nsenter: failed to execute x: " + NO_FILE
    assert all(may_be_not_executed(whole[:end]) for end in range(1, len(whole) + 1))


@pytest.mark.parametrize("stderr", [b"hello", b"nsenter: hello\n", b"nsenter: " + b"x" * 2000])
def test_other_words_are_not_held_back(stderr: bytes) -> None:
    assert not may_be_not_executed(stderr)
