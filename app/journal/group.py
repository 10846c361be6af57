"""Group commit: many threads append, one writes; those who come while it writes share the next commit."""

import time
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from threading import Condition, Event, Thread

from app.errors import JournalUnwritable
from app.journal import Reading

GROUP_SAMPLES = 50_000  # in one commit, at most
QUEUED_SAMPLES = 500_000  # waiting; further ones are refused
WAIT_S = 20.0  # for a commit, before the disk is called stuck


@dataclass
class Waiting:
    """A batch on its way: ``last`` is its last sequence number once it is kept, ``error`` why it was not."""

    batch: Sequence[Reading]
    push: bytes | None
    last: int = 0
    error: JournalUnwritable | None = None
    done: Event = field(default_factory=Event)


class GroupCommit:
    """Hands waiting batches to one background thread, in the order in which they came.

    Args:
        commit: called with a group; sets ``last`` or ``error`` of each. Raises nothing.
        idle: called between groups, at least every *idle_s* seconds.
    """

    def __init__(self, commit: Callable[[Sequence[Waiting]], None], idle: Callable[[], None], idle_s: float) -> None:
        self._commit = commit
        self._idle = idle
        self._idle_s = idle_s
        self._queue: deque[Waiting] = deque()
        self._queued = 0
        self._change = Condition()
        self._ending = False
        self._thread = Thread(target=self._run, name="journal", daemon=True)

    def start(self) -> None:
        """Begin to take batches."""
        self._thread.start()

    def stop(self) -> None:
        """Refuse further batches, commit those that wait, and end the thread."""
        with self._change:
            self._ending = True
            self._change.notify()
        if self._thread.is_alive():
            self._thread.join(WAIT_S)

    def append(self, batch: Sequence[Reading], push: bytes | None) -> int:
        """Wait for the commit of *batch* and return its last sequence number.

        Raises:
            JournalUnwritable: it was not kept, or whether it was is not known within 20 s.
        """
        waiting = Waiting(batch, push)
        with self._change:
            if self._ending:
                raise JournalUnwritable("it is being closed")
            if self._queue and self._queued + len(batch) > QUEUED_SAMPLES:
                raise JournalUnwritable(f"{self._queued} samples wait for the disk already")
            self._queue.append(waiting)
            self._queued += len(batch)
            self._change.notify()
        if not waiting.done.wait(WAIT_S):
            raise JournalUnwritable(f"the disk has not answered for {WAIT_S:g} s")
        if waiting.error:
            raise waiting.error
        return waiting.last

    def _run(self) -> None:
        idle_at = time.monotonic()
        while True:
            with self._change:
                if not self._queue and not self._ending:
                    self._change.wait(self._idle_s)
                group = self._take()
                if not group and self._ending:
                    return
            if group:
                self._commit(group)
                for waiting in group:
                    waiting.done.set()
            if time.monotonic() - idle_at >= self._idle_s:
                self._idle()
                idle_at = time.monotonic()

    def _take(self) -> list[Waiting]:
        group: list[Waiting] = []
        samples = 0
        while self._queue and (not group or samples + len(self._queue[0].batch) <= GROUP_SAMPLES):
            group.append(self._queue.popleft())
            samples += len(group[-1].batch)
        self._queued -= samples
        return group
