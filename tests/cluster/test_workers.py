"""Many tasks at once."""

import threading
from functools import partial

import pytest

from podmatrix.cluster.workers import Limit, in_parallel
from podmatrix.errors import ClusterError


def test_every_task_has_its_result() -> None:
    tasks = {str(n): partial(pow, n, 2) for n in range(50)}
    results = dict(in_parallel(tasks, limit=Limit(4), timeout_s=5, what="square"))
    assert results == {str(n): n * n for n in range(50)}


def test_an_own_error_is_a_result() -> None:
    error = ClusterError("no")

    def fail() -> None:
        raise error

    assert list(in_parallel({"x": fail}, limit=Limit(1), timeout_s=5, what="x")) == [("x", error)]


def test_a_foreign_error_is_raised_here() -> None:
    with pytest.raises(ZeroDivisionError):
        list(in_parallel({"x": lambda: 1 // 0}, limit=Limit(1), timeout_s=5, what="x"))


def test_no_more_run_at_once_than_allowed() -> None:
    limit, lock, running, most = Limit(3), threading.Lock(), 0, 0
    turn = threading.Event()

    def task() -> None:
        nonlocal running, most
        with lock:
            running += 1
            most = max(most, running)
        turn.wait(0.01)
        with lock:
            running -= 1

    list(in_parallel({str(n): task for n in range(20)}, limit=limit, timeout_s=5, what="x"))
    assert most == 3


def test_the_limit_can_be_lowered_but_not_to_nothing() -> None:
    limit = Limit(3)
    for _ in range(5):
        limit.lower()
    assert limit.concurrency == 1


def test_what_has_no_answer_in_time_says_so() -> None:
    never = threading.Event()
    tasks = {"slow": lambda: never.wait(30), "quick": lambda: True}
    results = dict(in_parallel(tasks, limit=Limit(2), timeout_s=0.2, what="probe"))
    never.set()
    assert results["quick"] is True
    assert str(results["slow"]) == "probe: no answer within 0.2 s"


def test_an_abandoned_iterator_begins_nothing_more() -> None:
    begun: list[int] = []
    gate = threading.Event()

    def task(number: int) -> None:
        begun.append(number)
        if number:
            gate.wait(5)

    tasks = {str(n): partial(task, n) for n in range(100)}
    results = in_parallel(tasks, limit=Limit(1), timeout_s=5, what="x")
    next(results)
    results.close()
    gate.set()
    assert len(begun) <= 2
