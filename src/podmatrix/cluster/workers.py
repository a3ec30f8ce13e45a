"""Many requests at once, in threads that an interrupt leaves behind instead of waiting for them."""

import queue
import threading
from collections.abc import Callable, Generator, Mapping
from typing import Generic, TypeVar

from podmatrix.errors import ClusterError, PodmatrixError
from podmatrix.polling import Deadline

T = TypeVar("T")

Task = Callable[[], T]


class Limit:
    """How many tasks run at once. It can be lowered while they run."""

    def __init__(self, concurrency: int) -> None:
        self.concurrency = concurrency
        self._running = 0
        self._changed = threading.Condition()

    def lower(self) -> None:
        """Halve it; never below one."""
        with self._changed:
            self.concurrency = max(1, self.concurrency // 2)

    def __enter__(self) -> None:
        with self._changed:
            self._changed.wait_for(lambda: self._running < self.concurrency)
            self._running += 1

    def __exit__(self, *_: object) -> None:
        with self._changed:
            self._running -= 1
            self._changed.notify()


class _Workers(Generic[T]):
    def __init__(self, tasks: Mapping[str, Task[T]], limit: Limit) -> None:
        self.results: queue.SimpleQueue[tuple[str, T | Exception]] = queue.SimpleQueue()
        self._tasks: queue.SimpleQueue[tuple[str, Task[T]]] = queue.SimpleQueue()
        self._limit = limit
        for item in tasks.items():
            self._tasks.put(item)

    def work(self) -> None:
        while True:
            try:
                key, task = self._tasks.get_nowait()
            except queue.Empty:
                return
            self.results.put((key, self._result(task)))

    def drop(self) -> None:
        """Forget the tasks that no thread has taken yet."""
        while True:
            try:
                self._tasks.get_nowait()
            except queue.Empty:
                return

    def _result(self, task: Task[T]) -> T | Exception:
        with self._limit:
            try:
                return task()
            # Handed to the caller's thread, where it is raised.
            except Exception as exc:
                return exc


def in_parallel(
    tasks: Mapping[str, Task[T]], *, limit: Limit, timeout_s: float, what: str
) -> Generator[tuple[str, T | PodmatrixError], None, None]:
    """Carry out `tasks`, yielding each result, or the PodmatrixError it ended with, as it comes.

    A task without a result after `timeout_s` yields a ClusterError. Any other exception is raised
    here. Threads are daemons: an interrupt or an abandoned iterator does not wait for them.
    """
    workers = _Workers(tasks, limit)
    for number in range(min(limit.concurrency, len(tasks))):
        name = f"podmatrix-worker-{number}"
        threading.Thread(target=workers.work, name=name, daemon=True).start()
    deadline, waiting = Deadline(timeout_s), set(tasks)
    try:
        while waiting:
            try:
                key, result = workers.results.get(timeout=deadline.remaining_s)
            except queue.Empty:
                break
            waiting.remove(key)
            if isinstance(result, Exception) and not isinstance(result, PodmatrixError):
                raise result
            yield key, result
    finally:
        workers.drop()
    for key in sorted(waiting):
        yield key, ClusterError(f"{what}: no answer within {timeout_s:g} s")
