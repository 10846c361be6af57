"""The journal: the log of samples, in one order. Here the interface and the journal in memory."""

import secrets
from collections.abc import Callable, Sequence
from threading import Lock
from typing import Protocol

from app.counter import Counter
from app.series import Sample

# What is handed in: (series, ms since the Unix epoch, finite value or None for a gap).
Reading = tuple[str, int, float | None]
Deliver = Callable[[Sequence[Sample]], None]


class Journal(Protocol):
    """What the hub needs of a journal; a replicated log may stand here as well."""

    epoch: str
    """The identity of this journal's life; it changes exactly when numbers were lost."""

    def append(self, batch: Sequence[Reading]) -> int:
        """Give each reading its sequence number, keep it, and return the last one.

        Blocks until the batch is as durable as this journal makes it.
        """

    def follow(self, deliver: Deliver) -> None:
        """Call *deliver* with every batch committed from now on, in order, whoever wrote it."""


class MemoryJournal:
    """Keeps nothing beyond the process: numbers live in the windows, a new process is a new epoch.

    The lock makes numbering and delivery one critical section, so nobody can see a sequence number
    before a smaller one. Delivery only copies into the windows.
    """

    def __init__(self) -> None:
        self.epoch = secrets.token_hex(8)
        self._counter = Counter()
        self._order = Lock()
        self._followers: list[Deliver] = []

    def append(self, batch: Sequence[Reading]) -> int:
        """Number the batch and deliver it; see Journal."""
        with self._order:
            last = self._counter.add(len(batch))
            first = last - len(batch) + 1
            samples = [Sample(seq, *reading) for seq, reading in enumerate(batch, first)]
            for deliver in self._followers:
                deliver(samples)
            return last

    def follow(self, deliver: Deliver) -> None:
        """Deliver every batch to *deliver* from now on; see Journal."""
        with self._order:
            self._followers.append(deliver)
