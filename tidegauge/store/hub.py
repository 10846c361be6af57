"""The hub: readings go in, samples come out in one order. The one owner of the windows."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from math import inf, isfinite, isnan
from threading import Lock

import numpy as np

from tidegauge.errors import CursorGone, UnknownSeries
from tidegauge.store.journal import History, Journal, Reading, Row, Stamped
from tidegauge.store.patterns import pattern
from tidegauge.store.series import Columns, Window, check_cursor, check_name, check_value
from tidegauge.store.times import now_ms


@dataclass(frozen=True)
class SeriesSnapshot:
    """One series at one moment: its samples after a cursor, and what has left its window."""

    name: str
    columns: Columns
    evicted: int
    unit: str = ""


@dataclass(frozen=True)
class Snapshot:
    """Several series at the same moment; ``to`` is the newest sequence number among them, 0 without any."""

    to: int
    series: tuple[SeriesSnapshot, ...]

    @property
    def count(self) -> int:
        """The number of samples."""
        return sum(len(one.columns.seq) for one in self.series)

    @property
    def evicted(self) -> int:
        """The sequence number of the newest sample that has left any of the windows."""
        return max((one.evicted for one in self.series), default=0)


@dataclass(frozen=True)
class Newest:
    """The newest sample of a series; ``time`` in ms since the Unix epoch, None without a sample."""

    name: str
    seq: int
    time: int | None
    value: float | None


@dataclass(frozen=True)
class Receipt:
    """What became of a batch: its last sequence number and the names refused by the cap on series."""

    seq: int
    refused: tuple[str, ...]


class Hub:
    """Takes readings, has the journal order them, and keeps each series' window.

    Args:
        journal: numbers and keeps the samples.
        window: newest samples kept a series.
        max_series: series kept; readings of further ones are refused by name.
    """

    def __init__(self, journal: Journal, *, window: int, max_series: int) -> None:
        self.journal = journal
        self.max_series = max_series
        self.refused = 0
        self.kept = 0  # samples, since this process began
        self._window = window
        self._lock = Lock()
        self._windows: dict[str, Window] = {}
        self._newest = 0
        self._matching: dict[str, list[str]] = {}  # the names of each pattern, until the series change
        journal.follow(self)

    def open(self) -> None:
        """Open the journal and fill the windows from it; raises JournalUnusable."""
        with self._lock:  # or a journal that follows others might deliver before there is a window
            for one in self.journal.open(self._window):
                window = self._windows.get(one.series) or self._add(one.series)
                window.fill(one.seq, one.t, one.v, one.evicted)
                self._newest = max(self._newest, window.newest)

    @property
    def epoch(self) -> str:
        """The journal's epoch."""
        return self.journal.epoch

    @property
    def problem(self) -> str:
        """Why nothing new can be kept or shown now, "" if that is not so."""
        return self.journal.problem or self.journal.behind

    @property
    def newest(self) -> int:
        """The newest sequence number that every reader can see."""
        return self._newest

    def declare(self, names: Iterable[str]) -> tuple[str, ...]:
        """Make room for series, in order, while the cap allows; return the names refused."""
        refused = []
        with self._lock:
            for name in dict.fromkeys(names):
                if name in self._windows:
                    continue
                if len(self._windows) < self.max_series:
                    self._add(name)
                else:
                    refused.append(name)
        return tuple(refused)

    def append(self, batch: Sequence[Reading], push: bytes | None = None) -> Receipt:
        """Append readings ``(series, ms since the Unix epoch or None for now, value or None)``.

        Returns when they are kept. Readings of new series past the cap are left out, named and counted; all others
        are kept. One that is equal in series, time and value to a sample in its window is kept already.

        Args:
            push: a hash of the request that brought them, if a repeat of it shall be kept once.

        Raises:
            BadSample: a name or value cannot be one; then nothing of the batch is kept.
            JournalUnwritable: nothing of the batch is kept, for the time being.
        """
        checked = [
            (
                name if name in self._windows else check_name(name),
                time,
                value if type(value) is float and isfinite(value) else check_value(name, value),
            )
            for name, time, value in batch
        ]
        new = [name for name, _, _ in checked if name not in self._windows]
        refused = self.declare(new) if new else ()
        if refused:
            unwanted = set(refused)
            kept = [reading for reading in checked if reading[0] not in unwanted]
            with self._lock:
                self.refused += len(checked) - len(kept)
            checked = kept
        return Receipt(self.journal.append(checked, push) if checked else self.newest, refused)

    def admit(self, batches: Sequence[Sequence[Reading]]) -> list[list[Stamped]]:
        """Stamp readings that have no time, and leave out those that are kept already; called by the journal."""
        now = now_ms()
        seen: set[Stamped] = set()
        with self._lock:
            return [list(self._new(batch, now, seen)) for batch in batches]

    def _new(self, batch: Sequence[Reading], now: int, seen: set[Stamped]) -> Iterator[Stamped]:
        windows = self._windows
        for name, at, value in batch:
            if at is None:
                yield name, now, value
                continue
            stamped = (name, at, value)
            window = windows.get(name)  # None: the series was deleted since it was declared
            if stamped not in seen and (window is None or at > window.latest or not window.has(at, value)):
                seen.add(stamped)
                yield stamped

    def deliver(self, batches: Sequence[tuple[int, Sequence[Stamped]]]) -> None:
        """Put what was committed into the windows; called by the journal's writer alone."""
        windows = self._windows
        with self._lock:
            for first, samples in batches:
                for seq, (series, at, value) in enumerate(samples, first):
                    try:
                        windows[series].append(seq, at, value)
                    except KeyError:  # deleted since it was declared
                        self._add(series).append(seq, at, value)
                self.kept += len(samples)
                if samples:
                    self._newest = first + len(samples) - 1

    def _add(self, name: str) -> Window:
        self._windows[name] = window = Window(self._window)
        self._matching = {}
        return window

    def delete(self, names: Sequence[str]) -> None:
        """Delete series: names, windows and history. What is pushed under such a name later begins anew.

        Raises:
            UnknownSeries: one of them is not there; then none is deleted.
            JournalUnwritable: none is deleted, for the time being.
        """
        for name in names:
            if name not in self._windows:
                raise UnknownSeries(name)
        self.journal.forget(names)

    def forget(self, names: Sequence[str]) -> None:
        """Drop the windows of deleted series; called by the journal's writer alone."""
        with self._lock:
            for name in names:
                self._windows.pop(name, None)
            self._matching = {}

    def matching(self, name: str) -> list[str]:
        """Return the names of the series that *name* stands for: itself, or with ``*`` those that match, in order."""
        wanted = pattern(name)
        if wanted is None:
            return [name]
        with self._lock:
            if name not in self._matching:
                self._matching[name] = sorted(filter(wanted.fullmatch, self._windows))
            return self._matching[name]

    @property
    def units(self) -> Mapping[str, str]:
        """The units that agents have named, by series."""
        return self.journal.units

    def note_units(self, units: Mapping[str, str]) -> None:
        """Keep the units of some series, where they are not known already.

        Raises:
            JournalUnwritable: they are not kept, for the time being.
        """
        if new := {
            name: unit for name, unit in units.items() if name in self._windows and self.units.get(name) != unit
        }:
            self.journal.keep_units(new)

    def snapshot(self, names: Iterable[str], since: int = 0) -> Snapshot:
        """Return the samples of the named series after *since*, all read at one moment.

        A name without a window has no samples.
        """
        with self._lock:
            windows = [(name, self._windows.get(name)) for name in names]
            return Snapshot(
                to=max((window.newest for _, window in windows if window), default=0),
                series=tuple(
                    SeriesSnapshot(name, window.since(since), window.evicted, self.units.get(name, ""))
                    if window
                    else SeriesSnapshot(name, Columns((), (), ()), 0)
                    for name, window in windows
                ),
            )

    def read(
        self, name: str, cursor: int, *, start_ms: int | None = None, end_ms: int | None = None, limit: int = 10_000
    ) -> list[Row]:
        """Return up to *limit* samples of one series after *cursor*, in the order of ``seq``.

        Args:
            cursor: the last ``seq`` the reader has; 0: from the oldest that is kept.
            start_ms, end_ms: only samples with start_ms <= time < end_ms, ms since the Unix epoch.

        Raises:
            UnknownSeries: there is no such series.
            CursorAhead: *cursor* is above the newest sequence number.
            CursorGone: samples after *cursor* are no longer kept.
        """
        with self._lock:
            window = self._windows.get(name)
            if window is None:
                raise UnknownSeries(name)
            newest = self._newest  # the journal may be further: nobody is shown what others cannot see yet
            check_cursor(cursor, newest)
            evicted = window.evicted
            columns = window.since(cursor)
        if cursor < evicted:
            rows, horizon = self.journal.read(name, cursor, newest, start_ms=start_ms, end_ms=end_ms, limit=limit)
            if 0 < cursor < (evicted if horizon is None else horizon):
                raise CursorGone(cursor, evicted if horizon is None else horizon, self.epoch)
            if horizon is not None:
                return rows
        rows = [(seq, t, None if isnan(v) else v) for seq, t, v in zip(*columns, strict=True)]
        low, high = -inf if start_ms is None else start_ms, inf if end_ms is None else end_ms
        return [row for row in rows if low <= row[1] < high][:limit]

    def history(self, names: Iterable[str], start_ms: int, end_ms: int) -> tuple[int, dict[str, History]]:
        """Return the samples of some series with start_ms <= time < end_ms, in the order of their times.

        Returns:
            The newest sequence number of all that they were read up to, and the columns by name.

        Raises:
            JournalUnusable: the journal cannot be read.
        """
        with self._lock:
            newest = self._newest
        found = {}
        for name in names:
            history = self.journal.history(name, newest, start_ms, end_ms)
            if history is None:
                with self._lock:
                    window = self._windows.get(name)
                    columns = window.since(0) if window else Columns((), (), ())
                seq, t, v = (np.array(column, np.float64) for column in columns.by_time())
                kept = (seq <= newest) & (start_ms <= t) & (t < end_ms)
                history = History(t[kept], v[kept])
            found[name] = history
        return newest, found

    def newest_time(self, names: Iterable[str]) -> int | None:
        """Return the latest time of the named series' newest samples, ms since the Unix epoch; None without any."""
        with self._lock:
            times = [self._windows[name].newest_time for name in names if name in self._windows]
        return max((time for time in times if time is not None), default=None)

    def last_value(self, name: str) -> tuple[int, float] | None:
        """Return the time (ms) and value of the newest sample of a series that is no gap, None without one."""
        with self._lock:
            window = self._windows.get(name)
            columns = window.since(0) if window else Columns((), (), ())
        return next(((t, v) for t, v in zip(columns.t[::-1], columns.v[::-1], strict=True) if not isnan(v)), None)

    def names(self) -> Sequence[str]:
        """Return the names of all series, in order."""
        with self._lock:
            names = tuple(self._windows)
        return sorted(names)

    def list(self, names: Iterable[str] | None = None) -> list[Newest]:
        """Return every series, or the named that are there, with its newest sample, by name."""
        with self._lock:
            wanted = sorted(self._windows if names is None else self._windows.keys() & names)
            windows = [(name, self._windows[name]) for name in wanted]
            rows = [(name, window.since(window.newest - 1)) for name, window in windows]
        return [
            Newest(name, seq[-1], t[-1], None if isnan(v[-1]) else v[-1]) if seq else Newest(name, 0, None, None)
            for name, (seq, t, v) in rows
        ]

    def __contains__(self, name: str) -> bool:
        """Tell whether there is a series of that name."""
        return name in self._windows

    def __len__(self) -> int:
        """The number of series."""
        return len(self._windows)

    @contextmanager
    def lock_within(self, timeout_s: float) -> Iterator[bool]:
        """Try the hub's lock for *timeout_s* seconds; yields whether it was obtained. For health checks."""
        obtained = self._lock.acquire(timeout=timeout_s)
        try:
            yield obtained
        finally:
            if obtained:
                self._lock.release()
