"""Calls into the background thread that has the connection: each ends in time, whatever becomes of the servers."""

import asyncio
from collections.abc import Callable, Coroutine
from dataclasses import dataclass, field
from threading import Lock
from time import monotonic
from typing import Any, TypeVar

from tidegauge.store.journal.sqlite.group_commit import locked

ANSWER_S = 2.0  # of one request
LIMIT_S = 5.0  # of a call, with all its tries
WAITING = 16  # calls, of the server's 32 threads, that may wait while none is answered
Result = TypeVar("Result")


class Unavailable(Exception):
    """NATS does not answer now, or refuses; the text says why."""


class Ended(Exception):
    """The background thread has ended."""


@dataclass
class _Call:
    """What a thread waits for: ``done`` is released when the ``task`` has ended.

    Beside asyncio.run_coroutine_threadsafe this wakes the loop once for all that ask at the same time.
    """

    ask: Callable[[], Coroutine[Any, Any, Any]]
    task: asyncio.Task[Any] | None = None
    done: Lock = field(default_factory=locked)

    def end(self, _: asyncio.Task[Any]) -> None:
        """Let the thread go on."""
        self.done.release()


class Calls:
    """Has a loop in another thread do what threads ask for.

    Args:
        loop: runs in the background thread.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self.answered_at = 0.0  # monotonic, s; the last that was answered
        self._loop = loop
        self._lock = Lock()  # guards the three below
        self._new: list[_Call] = []  # and not yet begun
        self._waiting = 0
        self._waiting_since = 0.0  # monotonic, s; the first of those that wait

    def soon(self, do: Callable[[], object]) -> None:
        """Call *do* in the background thread; raises Ended."""
        try:
            self._loop.call_soon_threadsafe(do)
        except RuntimeError:
            raise Ended from None

    def call(self, ask: Callable[[], Coroutine[Any, Any, Result]], within_s: float) -> Result:
        """Return what *ask* does in the background thread.

        Raises:
            Unavailable: there is no hope that it would be done.
            TimeoutError: it has not ended in time, so whether it took place is unknown.
            Ended: the background thread ends.
            Exception: whatever *ask* raises.
        """
        with self._lock:
            now = monotonic()
            if not self._waiting:
                self._waiting_since = now
            if self._waiting >= WAITING and now - max(self._waiting_since, self.answered_at) > ANSWER_S / 2:
                raise Unavailable(f"{self._waiting} others wait for NATS already")
            self._waiting += 1
        try:
            result = self._result(ask, within_s)
        finally:
            with self._lock:
                self._waiting -= 1
        self.answered_at = monotonic()
        return result

    def _result(self, ask: Callable[[], Coroutine[Any, Any, Result]], within_s: float) -> Result:
        call = _Call(ask)
        with self._lock:
            self._new.append(call)
            is_first = len(self._new) == 1  # else the background thread is about to look
        if is_first:
            self.soon(self._begin)
        is_done = call.done.acquire(timeout=within_s)
        if not (is_done and call.task):
            raise TimeoutError
        try:
            result: Result = call.task.result()
        except asyncio.CancelledError:
            raise Ended from None
        return result

    def _begin(self) -> None:
        """Begin, in the background thread, what threads have asked for."""
        with self._lock:
            begun, self._new = self._new, []
        for call in begun:
            call.task = self._loop.create_task(call.ask())
            call.task.add_done_callback(call.end)
