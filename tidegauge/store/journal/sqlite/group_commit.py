"""Group commit: many threads append, one writes; those that come while it writes share the next commit."""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from queue import Empty, SimpleQueue
from threading import Lock, Thread

from tidegauge.errors import JournalUnwritable
from tidegauge.store.journal import Reading

GROUP_SAMPLES = 50_000  # in one commit; the last batch may pass it
QUEUED_SAMPLES = 500_000  # waiting; further ones are refused
WAIT_S = 20.0  # for a commit, before the disk is called stuck


def locked() -> Lock:
    """Return a lock that is held: whoever acquires it waits for its release. It is a third of an Event's work."""
    lock = Lock()
    lock.acquire()
    return lock


@dataclass
class Waiting:
    """A batch on its way, or a *task* of another kind that the writing thread shall do between two groups.

    ``last`` is the batch's last sequence number once it is kept, ``error`` why it was not; ``done`` is released then.
    """

    batch: Sequence[Reading] = ()
    push: bytes | None = None
    task: Callable[[], None] | None = None
    last: int = 0
    error: JournalUnwritable | None = None
    done: Lock = field(default_factory=locked)


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
        self._queue: SimpleQueue[Waiting] = SimpleQueue()
        self._end = Waiting()
        self._lock = Lock()  # guards the two below
        self._queued = 0  # samples
        self._ending = False
        self._thread: Thread | None = None

    def start(self) -> None:
        """Begin to take batches, again after a ``stop``."""
        self._ending = False
        self._thread = Thread(target=self._run, name="journal", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Refuse further batches, commit those that wait, and end the thread."""
        with self._lock:
            self._ending = True
        if self._thread and self._thread.is_alive():
            self._queue.put(self._end)
            self._thread.join(WAIT_S)

    def append(self, batch: Sequence[Reading], push: bytes | None) -> int:
        """Wait for the commit of *batch* and return its last sequence number.

        Raises:
            JournalUnwritable: it was not kept, or whether it was is not known within 20 s.
        """
        return self._wait_for(Waiting(batch, push))

    def call(self, task: Callable[[], None]) -> None:
        """Call *task* in the writing thread, between two groups, and return after it; raises JournalUnwritable."""
        self._wait_for(Waiting(task=task))

    def _wait_for(self, waiting: Waiting) -> int:
        size = len(waiting.batch)
        with self._lock:
            if self._ending:
                raise JournalUnwritable("it is being closed")
            if self._queued and self._queued + size > QUEUED_SAMPLES:
                raise JournalUnwritable(f"{self._queued} samples wait for the disk already")
            self._queued += size
            self._queue.put(waiting)
        if not waiting.done.acquire(timeout=WAIT_S):
            raise JournalUnwritable(f"the disk has not answered for {WAIT_S:g} s")
        if waiting.error:
            raise waiting.error
        return waiting.last

    def _run(self) -> None:
        idle_at = time.monotonic()
        while True:
            group, after = self._take()
            if group:
                self._commit(group)
                for waiting in group:
                    waiting.done.release()
            if after is self._end:
                return
            if after and after.task:
                try:
                    after.task()
                except JournalUnwritable as error:
                    after.error = error
                after.done.release()
            if time.monotonic() - idle_at >= self._idle_s:
                self._idle()
                idle_at = time.monotonic()

    def _take(self) -> tuple[list[Waiting], Waiting | None]:
        """Return the batches that wait, and what came after them that is no batch: a task, or the end."""
        group: list[Waiting] = []
        samples = 0
        try:
            one = self._queue.get(timeout=self._idle_s)
            while one.task is None and one is not self._end:
                group.append(one)
                samples += len(one.batch)
                if samples >= GROUP_SAMPLES:
                    break
                one = self._queue.get_nowait()
            else:
                return group, one
        except Empty:
            pass
        finally:
            with self._lock:
                self._queued -= samples
        return group, None
