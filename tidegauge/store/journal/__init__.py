"""The journal: the log of samples, in one order, and its history. Here the interface that every journal has.

``memory.py`` keeps nothing beyond the process, ``sqlite/`` one SQLite file, ``jetstream/`` a stream that several hosts
share, and a copy of it.
"""

from array import array
from collections.abc import Iterable, Mapping, Sequence
from threading import Lock
from typing import NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

# What is handed in: (series, ms since the Unix epoch or None for now, finite float or None for a gap). It is checked
# where it is parsed (series.py: check_reading), and nowhere after that.
Reading = tuple[str, int | None, float | None]
# The same with its time.
Stamped = tuple[str, int, float | None]


class WindowContent(NamedTuple):
    """The newest samples of one series, by ``seq``, oldest first.

    ``seq``, ``t`` (ms since the Unix epoch) and ``v`` (NaN: a gap) are columns of equal length; ``evicted`` is the
    ``seq`` of the newest sample before them, 0 if there is none.
    """

    series: str
    seq: "array[int]"
    t: "array[int]"
    v: "array[float]"
    evicted: int


class Follower(Protocol):
    """Learns what the journal does, from its one writer and in order: the windows."""

    size: int  # samples that it wants of each series when the journal opens

    def fill(self, contents: Sequence[WindowContent], units: Mapping[str, str]) -> None:
        """Take what was kept before the journal opened; nothing is delivered before that."""

    def admit(self, batches: Sequence[Sequence[Reading]]) -> list[list[Stamped]]:
        """Return what is new of each batch, stamped, before all of them are kept together."""

    def deliver(self, batches: Sequence[tuple[int, Sequence[Stamped]]]) -> None:
        """Take what was committed: batches, each with the sequence number of its first sample; they rise by one."""

    def forget(self, names: Sequence[str]) -> None:
        """Take notice that series were deleted."""

    def note_units(self, units: Mapping[str, str]) -> None:
        """Take notice of the units of some series."""

    def declare(self, names: Iterable[str]) -> Sequence[str]:
        """Make room for series, in order, while the cap allows; return the names refused."""


class Commits:
    """How many commits this process has made, and how many seconds they took together. Any thread may add one."""

    def __init__(self) -> None:
        self.count = 0
        self.seconds = 0.0
        self._lock = Lock()

    def add(self, seconds: float) -> None:
        """Add one commit."""
        with self._lock:
            self.count += 1
            self.seconds += seconds


# A kept sample of a known series: (seq, ms since the Unix epoch, value or None for a gap). A plain tuple, which the
# garbage collector need not follow: a million of them are read in half the time of a million NamedTuples.
Sample = tuple[int, int, float | None]


class TimesAndValues(NamedTuple):
    """Samples of one series in the order of their times: ``t`` (ms since the Unix epoch) and ``v`` (NaN: a gap)."""

    t: NDArray[np.float64]
    v: NDArray[np.float64]


class History(Protocol):
    """Reads back what a journal has kept. Any thread may read, beside whoever writes."""

    def read(
        self, series: str, since: int, to: int, *, start_ms: int | None, end_ms: int | None, limit: int
    ) -> tuple[list[Sample], int]:
        """Return up to *limit* samples of a series with since < seq <= to, in the order of ``seq``, and the horizon.

        The horizon is the newest ``seq`` that is no longer kept, at the same moment. Only samples with
        start_ms <= time < end_ms.

        Raises:
            JournalUnusable: it cannot be read.
        """

    def by_time(self, series: str, to: int, start_ms: int, end_ms: int) -> TimesAndValues:
        """Return all samples of a series with seq <= to and start_ms <= time < end_ms.

        Raises:
            JournalUnusable: it cannot be read.
        """


class Journal(Protocol):
    """A log of samples: what writes it and says how it is. Its ``history`` reads it back."""

    @property
    def history(self) -> History | None:
        """Reads what was kept; None: nothing is kept beyond the windows."""

    @property
    def epoch(self) -> str:
        """The identity of this journal's life; it changes exactly when numbers were lost."""

    @property
    def problem(self) -> str:
        """Why nothing can be kept now, "" while it can."""

    @property
    def behind(self) -> str:
        """What others show and this process does not yet, "" if nothing."""

    @property
    def losses(self) -> Sequence[str]:
        """What was found missing or damaged, a sentence each."""

    @property
    def commits(self) -> Commits:
        """The commits of this process."""

    def open(self, follower: Follower) -> None:
        """Make it ready, and fill the *follower*, which then learns of every batch, before and after it is kept.

        Raises:
            JournalUnusable: it cannot be made ready; it may be tried again.
        """

    def close(self) -> None:
        """End well; nothing is lost by not calling this."""

    def append(self, batch: Sequence[Reading], push: bytes | None = None) -> int:
        """Give each reading that is new its sequence number, keep it, and return the last number.

        Blocks until the batch is as durable as this journal makes it.

        Args:
            push: a hash of the request that brought the batch, where a repeat of it shall be kept once.

        Raises:
            JournalUnwritable: nothing of the batch was kept.
        """

    def forget(self, names: Sequence[str]) -> None:
        """Delete series: their samples can no longer be read, and their names are free. Returns when that is kept.

        Raises:
            JournalUnwritable: nothing was deleted.
        """

    def keep_units(self, units: Mapping[str, str]) -> None:
        """Keep the units of some series, which may be new or others than before.

        Raises:
            JournalUnwritable: none of them was kept.
        """

    @property
    def is_leader(self) -> bool:
        """Whether this process is the one that samples, of all that write to this journal."""

    def campaign(self) -> None:
        """Say that this process is able to sample: one of those that are becomes the leader."""

    def resign(self) -> None:
        """Say that it is not able any more; another may lead."""

    def state(self) -> dict[str, object]:
        """Return what /health says about it: ``samples`` kept, ``bytes`` on the disk and the like."""
