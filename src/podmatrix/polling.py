"""Waiting: every wait has a subject, a deadline, and shows the last state. Nothing else sleeps."""

import time
from collections.abc import Callable
from typing import TypeVar

from podmatrix.errors import ConvergenceTimeout

T = TypeVar("T")


class Deadline:
    """A point in monotonic time, `timeout_s` seconds from now."""

    def __init__(self, timeout_s: float) -> None:
        self.timeout_s = timeout_s
        self._at = time.monotonic() + timeout_s

    @property
    def remaining_s(self) -> float:
        """Seconds that are left, never below 0."""
        return max(0.0, self._at - time.monotonic())

    @property
    def expired(self) -> bool:
        """Whether nothing is left."""
        return self.remaining_s <= 0.0


def wait_until(
    condition: Callable[[], T],
    *,
    timeout_s: float,
    what: str,
    last: Callable[[], str] = lambda: "",
    interval_s: float = 0.02,
) -> T:
    """Call `condition` until it returns something true and return that.

    `what` names the subject in the error, `last` tells the state seen last. Raises
    ConvergenceTimeout after `timeout_s` seconds.
    """
    deadline = Deadline(timeout_s)
    while True:
        value = condition()
        if value:
            return value
        if deadline.expired:
            state = last()
            raise ConvergenceTimeout(
                f"{what}: not within {timeout_s:g} s" + (f", last: {state}" if state else "")
            )
        time.sleep(min(interval_s, deadline.remaining_s))
