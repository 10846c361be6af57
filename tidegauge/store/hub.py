"""The hub: readings go in, samples come out in one order. It joins the windows in memory to the journal behind them."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from math import inf, isnan
from threading import Lock

import numpy as np

from tidegauge.errors import CursorGone, UnknownSeries
from tidegauge.store.journal import Journal, Reading, Sample, TimesAndValues
from tidegauge.store.windows import Windows


@dataclass(frozen=True)
class Receipt:
    """What became of a batch: its last sequence number and the names refused by the cap on series."""

    seq: int
    refused: tuple[str, ...]


class Hub:
    """Takes readings, has the journal order them, and reads samples back from the windows and from the journal.

    Args:
        journal: numbers and keeps the samples.
        window: newest samples kept a series.
        max_series: series kept; readings of further ones are refused by name.
    """

    def __init__(self, journal: Journal, *, window: int, max_series: int) -> None:
        self.journal = journal
        self.windows = Windows(size=window, max_series=max_series)
        self.refused = 0
        self._lock = Lock()  # guards the count

    def open(self) -> None:
        """Open the journal and fill the windows from it; raises JournalUnusable."""
        self.journal.open(self.windows)

    @property
    def problem(self) -> str:
        """Why nothing new can be kept or shown now, "" if that is not so."""
        return self.journal.problem or self.journal.behind

    # ---- taking in ----

    def append(self, batch: Sequence[Reading], push: bytes | None = None) -> Receipt:
        """Append readings ``(series, ms since the Unix epoch or None for now, value or None)``, checked before.

        Returns when they are kept. Readings of new series past the cap are left out, named and counted; all others
        are kept. One that is equal in series, time and value to a sample in its window is kept already.

        Args:
            push: a hash of the request that brought them, if a repeat of it shall be kept once.

        Raises:
            JournalUnwritable: nothing of the batch is kept, for the time being.
        """
        if refused := self.windows.declare([name for name, _, _ in batch]):
            unwanted = set(refused)
            kept = [reading for reading in batch if reading[0] not in unwanted]
            with self._lock:
                self.refused += len(batch) - len(kept)
            batch = kept
        return Receipt(self.journal.append(batch, push) if batch else self.windows.newest, refused)

    def delete(self, names: Sequence[str]) -> None:
        """Delete series: names, windows and history. What is pushed under such a name later starts a new series.

        Raises:
            UnknownSeries: one of them is not there; then none is deleted.
            JournalUnwritable: none is deleted, for the time being.
        """
        for name in names:
            if name not in self.windows:
                raise UnknownSeries(name)
        self.journal.forget(names)

    def note_units(self, units: Mapping[str, str]) -> None:
        """Keep the units of some series, where they are not known already.

        Raises:
            JournalUnwritable: they are not kept, for the time being.
        """
        known = self.windows.units
        if new := {name: unit for name, unit in units.items() if name in self.windows and known.get(name) != unit}:
            self.journal.keep_units(new)

    # ---- reading back ----

    def read(
        self, name: str, cursor: int, *, start_ms: int | None = None, end_ms: int | None = None, limit: int = 10_000
    ) -> list[Sample]:
        """Return up to *limit* samples of one series after *cursor*, in the order of ``seq``.

        Args:
            cursor: the last ``seq`` the reader has; 0: from the oldest that is kept.
            start_ms, end_ms: only samples with start_ms <= time < end_ms, ms since the Unix epoch.

        Raises:
            UnknownSeries: there is no such series.
            CursorAhead: *cursor* is above the newest sequence number.
            CursorGone: samples after *cursor* are no longer kept.
        """
        # The journal may be further than the newest: nobody is shown what others cannot see yet.
        columns, evicted, newest = self.windows.since(name, cursor)
        if cursor < evicted:
            kept, horizon = None, evicted
            if history := self.journal.history:
                kept, horizon = history.read(name, cursor, newest, start_ms=start_ms, end_ms=end_ms, limit=limit)
            if 0 < cursor < horizon:
                raise CursorGone(cursor, horizon, self.journal.epoch)
            if kept is not None:
                return kept
        rows = [(seq, t, None if isnan(v) else v) for seq, t, v in zip(*columns, strict=True)]
        low, high = -inf if start_ms is None else start_ms, inf if end_ms is None else end_ms
        return [row for row in rows if low <= row[1] < high][:limit]

    def history(self, names: Iterable[str], start_ms: int, end_ms: int) -> tuple[int, dict[str, TimesAndValues]]:
        """Return the samples of some series with start_ms <= time < end_ms, in the order of their times.

        Returns:
            The newest sequence number of all that they were read up to, and the columns by name.

        Raises:
            JournalUnusable: the journal cannot be read.
        """
        newest, history = self.windows.newest, self.journal.history
        read = history.by_time if history else self._in_windows
        return newest, {name: read(name, newest, start_ms, end_ms) for name in names}

    def _in_windows(self, name: str, to: int, start_ms: int, end_ms: int) -> TimesAndValues:
        """Return what a window has, where the journal keeps nothing beyond it; see History."""
        [series] = self.windows.snapshot([name]).series
        seq, t, v = (np.array(column, np.float64) for column in series.columns.by_time())
        kept = (seq <= to) & (start_ms <= t) & (t < end_ms)
        return TimesAndValues(t[kept], v[kept])
