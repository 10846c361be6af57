"""The journal: the log of samples, in one order. Here the interface that every journal has.

``memory.py`` keeps nothing beyond the process, ``sqlite.py`` one SQLite file; a replicated log may stand here as well.
"""

from array import array
from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

# What is handed in: (series, ms since the Unix epoch or None for now, finite value or None for a gap).
Reading = tuple[str, int | None, float | None]
# The same with its time.
Stamped = tuple[str, int, float | None]


class Follower(Protocol):
    """Who is told what the journal does, by its one writer and in order: the hub."""

    def admit(self, batches: Sequence[Sequence[Reading]]) -> list[list[Stamped]]:
        """Return what of each batch is new, stamped, before all of them are kept together."""

    def deliver(self, batches: Sequence[tuple[int, Sequence[Stamped]]]) -> None:
        """Take what was committed: batches, each with the sequence number of its first sample; they rise by one."""

    def forget(self, names: Sequence[str]) -> None:
        """Take notice that series were deleted."""

    def declare(self, names: Iterable[str]) -> Sequence[str]:
        """Make room for series, in order, while the cap allows; return the names refused."""


class Newest(NamedTuple):
    """The newest samples of one series, by ``seq``, oldest first.

    ``seq``, ``t`` (ms since the Unix epoch) and ``v`` (NaN: a gap) are columns of equal length; ``evicted`` is the
    ``seq`` of the newest sample before them, 0 if there is none.
    """

    series: str
    seq: "array[int]"
    t: "array[int]"
    v: "array[float]"
    evicted: int


# A kept sample of a known series: (seq, ms since the Unix epoch, value or None for a gap). A plain tuple, which the
# garbage collector need not follow: a million of them are read in half the time of a million NamedTuples.
Row = tuple[int, int, float | None]


class History(NamedTuple):
    """Samples of one series in the order of their times: ``t`` (ms since the Unix epoch) and ``v`` (NaN: a gap)."""

    t: NDArray[np.float64]
    v: NDArray[np.float64]


class Journal(Protocol):
    """What the hub and the owner need of a journal."""

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
    def commits(self) -> int:
        """How many commits there were, by this process."""

    @property
    def commit_s(self) -> float:
        """Seconds that they took, all together."""

    @property
    def counted(self) -> int:
        """The tutorial's count that was kept last."""

    def open(self, window: int) -> Sequence[Newest]:
        """Make it ready, and return the newest *window* samples of every series.

        Raises:
            JournalUnusable: it cannot be made ready; it may be tried again.
        """

    @property
    def leads(self) -> bool:
        """Whether this process is the one that samples, of all that write to this journal."""

    def stand(self, *, able: bool) -> None:
        """Say whether this process is able to sample: of those that are, one leads."""

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

    def follow(self, follower: Follower) -> None:
        """Tell *follower* of every batch, before and after it is kept."""

    def read(
        self, series: str, since: int, to: int, *, start_ms: int | None, end_ms: int | None, limit: int
    ) -> tuple[list[Row], int | None]:
        """Return up to *limit* samples of a series with since < seq <= to, in the order of ``seq``, and the horizon.

        The horizon is the newest ``seq`` that is no longer kept, at the same moment; None: nothing is kept beyond the
        windows. Only samples with start_ms <= time < end_ms.

        Raises:
            JournalUnusable: it cannot be read.
        """

    def history(self, series: str, to: int, start_ms: int, end_ms: int) -> History | None:
        """Return all samples of a series with seq <= to and start_ms <= time < end_ms.

        None: nothing is kept beyond the windows.

        Raises:
            JournalUnusable: it cannot be read.
        """

    @property
    def units(self) -> Mapping[str, str]:
        """The units that were kept, by series."""

    def keep_units(self, units: Mapping[str, str]) -> None:
        """Keep the units of some series, which may be new or others than before.

        Raises:
            JournalUnwritable: none of them was kept.
        """

    def state(self) -> dict[str, object]:
        """Return what /health tells of it: ``samples`` kept, ``bytes`` on the disk and the like."""

    def keep_count(self, n: int) -> None:
        """Keep the tutorial's count *n*."""
