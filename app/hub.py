"""The hub: readings go in, samples come out in one order. The one owner of the windows."""

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from decimal import Decimal
from math import isfinite, isnan
from numbers import Real
from threading import Lock
from time import time

from app.errors import BadSample, UnknownSeries
from app.journal import Journal, Reading
from app.series import Columns, Sample, Window, check_cursor

MAX_NAME = 500  # characters


@dataclass(frozen=True)
class SeriesSnapshot:
    """One series at one moment: its samples after a cursor, and what has left its window."""

    name: str
    columns: Columns
    evicted: int


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


def now_ms() -> int:
    """Return the time in milliseconds since the Unix epoch."""
    return int(time() * 1000)


def check_name(name: str) -> str:
    """Return *name* if it can name a series, else raise BadSample."""
    if not 0 < len(name) <= MAX_NAME or not name.isprintable() or name != name.strip():
        raise BadSample(
            f"{name[:80]!r} cannot name a series.",
            f"Use 1 to {MAX_NAME} printable characters, such as cpu.usage{{host=web1}}.",
        )
    return name


def check_value(name: str, value: object) -> float | None:
    """Return *value* as a finite float, or None for a gap, else raise BadSample. bool counts as 0 or 1."""
    if value is None:
        return None
    number = float(value) if isinstance(value, Real | Decimal) else None
    if number is None or not isfinite(number):
        raise BadSample(
            f"{name} was given {value!r:.80}, which is no sample.", "Give a finite number, or None for a gap."
        )
    return number


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
        self._window = window
        self._lock = Lock()
        self._windows: dict[str, Window] = {}
        self._newest = 0
        journal.follow(self._take)

    @property
    def epoch(self) -> str:
        """The journal's epoch."""
        return self.journal.epoch

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
                    self._windows[name] = Window(self._window)
                else:
                    refused.append(name)
        return tuple(refused)

    def append(self, batch: Sequence[Reading]) -> Receipt:
        """Append readings ``(series, ms since the Unix epoch, value or None)``; returns when they are kept.

        Readings of new series past the cap are left out, named and counted; all others are kept.

        Raises:
            BadSample: a name or value cannot be one; then nothing of the batch is kept.
        """
        checked = [(check_name(name), time, check_value(name, value)) for name, time, value in batch]
        refused = self.declare(name for name, _, _ in checked)
        if refused:
            unwanted = set(refused)
            kept = [reading for reading in checked if reading[0] not in unwanted]
            with self._lock:
                self.refused += len(checked) - len(kept)
            checked = kept
        return Receipt(self.journal.append(checked) if checked else self.newest, refused)

    def _take(self, samples: Sequence[Sample]) -> None:
        with self._lock:
            for seq, series, time, value in samples:
                self._windows[series].append(seq, time, value)
            self._newest = samples[-1].seq

    def snapshot(self, names: Iterable[str], since: int = 0) -> Snapshot:
        """Return the samples of the named series after *since*, all read at one moment.

        A name without a window has no samples.
        """
        with self._lock:
            windows = [(name, self._windows.get(name)) for name in names]
            return Snapshot(
                to=max((window.newest for _, window in windows if window), default=0),
                series=tuple(
                    SeriesSnapshot(name, window.since(since), window.evicted)
                    if window
                    else SeriesSnapshot(name, Columns((), (), ()), 0)
                    for name, window in windows
                ),
            )

    def read(self, name: str, cursor: int) -> tuple[Columns, int]:
        """Return the samples of one series after *cursor*, and its ``evicted``.

        Raises:
            UnknownSeries: there is no such series.
            CursorAhead: *cursor* is above the newest sequence number.
        """
        with self._lock:
            window = self._windows.get(name)
            if window is None:
                raise UnknownSeries(name)
            check_cursor(cursor, self._newest)
            return window.since(cursor), window.evicted

    def newest_time(self, names: Iterable[str]) -> int | None:
        """Return the latest time of the named series' newest samples, ms since the Unix epoch; None without any."""
        with self._lock:
            times = [self._windows[name].newest_time for name in names if name in self._windows]
        return max((time for time in times if time is not None), default=None)

    def list(self) -> list[Newest]:
        """Return every series with its newest sample, by name."""
        with self._lock:
            rows = [(name, window.since(window.newest - 1)) for name, window in sorted(self._windows.items())]
        return [
            Newest(name, seq[-1], t[-1], None if isnan(v[-1]) else v[-1]) if seq else Newest(name, 0, None, None)
            for name, (seq, t, v) in rows
        ]

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
