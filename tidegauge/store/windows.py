"""The windows: the newest samples of every series in memory, behind one lock. They follow the journal."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from math import isnan
from threading import Lock

from tidegauge.errors import UnknownSeries
from tidegauge.store.journal import Reading, Stamped, WindowContent
from tidegauge.store.patterns import pattern
from tidegauge.store.series import Columns, Window, check_cursor
from tidegauge.store.snapshot import NewestSample, SeriesSnapshot, Snapshot
from tidegauge.store.times import now_ms


class Windows:
    """Every series' name, window and unit; filled by the journal alone, as its Follower.

    Args:
        size: newest samples kept a series.
        max_series: series kept; further ones are refused by name.
    """

    def __init__(self, *, size: int, max_series: int) -> None:
        self.size = size
        self.max_series = max_series
        self.kept = 0  # samples, since this process began
        self.newest = 0  # the newest sequence number that every reader can see
        self.units: dict[str, str] = {}  # that agents have named, by series
        self._lock = Lock()
        self._windows: dict[str, Window] = {}
        self._matching: dict[str, list[str]] = {}  # the names of each pattern, until the series change

    # ---- what the journal does ----

    def fill(self, contents: Sequence[WindowContent], units: Mapping[str, str]) -> None:
        """See Follower."""
        with self._lock:
            self.units = dict(units)
            for one in contents:
                window = self._windows.get(one.series) or self._add(one.series)
                window.fill(one.seq, one.t, one.v, one.evicted)
                self.newest = max(self.newest, window.newest)

    def declare(self, names: Iterable[str]) -> tuple[str, ...]:
        """Make room for series, in order, while the cap allows; return the names refused."""
        new = [name for name in dict.fromkeys(names) if name not in self._windows]
        if not new:  # most of the time, and nobody is kept waiting
            return ()
        refused = []
        with self._lock:
            for name in new:
                if name in self._windows:
                    continue
                if len(self._windows) < self.max_series:
                    self._add(name)
                else:
                    refused.append(name)
        return tuple(refused)

    def admit(self, batches: Sequence[Sequence[Reading]]) -> list[list[Stamped]]:
        """Stamp readings that have no time, and leave out those that are kept already. See Follower."""
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
        """Put what was committed into the windows. See Follower."""
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
                    self.newest = first + len(samples) - 1

    def forget(self, names: Sequence[str]) -> None:
        """Drop deleted series. See Follower."""
        with self._lock:
            for name in names:
                self._windows.pop(name, None)
                self.units.pop(name, None)
            self._matching = {}

    def note_units(self, units: Mapping[str, str]) -> None:
        """See Follower."""
        with self._lock:
            self.units |= units

    def _add(self, name: str) -> Window:
        self._windows[name] = window = Window(self.size)
        self._matching = {}
        return window

    # ---- what readers ask ----

    def __contains__(self, name: str) -> bool:
        """Tell whether there is a series of that name."""
        return name in self._windows

    def __len__(self) -> int:
        """The number of series."""
        return len(self._windows)

    def names(self) -> Sequence[str]:
        """Return the names of all series, in order."""
        with self._lock:
            names = tuple(self._windows)
        return sorted(names)

    def matching(self, name: str) -> Sequence[str]:
        """Return the names of the series that *name* stands for: itself, or with ``*`` those that match, in order."""
        wanted = pattern(name)
        if wanted is None:
            return [name]
        with self._lock:
            if name not in self._matching:
                self._matching[name] = sorted(filter(wanted.fullmatch, self._windows))
            return self._matching[name]

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

    def since(self, name: str, cursor: int) -> tuple[Columns, int, int]:
        """Return the samples of one series after *cursor*, what has left its window, and the newest number of all.

        Raises:
            UnknownSeries: there is no such series.
            CursorAhead: *cursor* is above the newest sequence number.
        """
        with self._lock:
            window = self._windows.get(name)
            if window is None:
                raise UnknownSeries(name)
            check_cursor(cursor, self.newest)
            return window.since(cursor), window.evicted, self.newest

    def newest_time(self, names: Iterable[str]) -> int | None:
        """Return the latest time of the named series' newest samples, ms since the Unix epoch; None without any."""
        with self._lock:
            times = [self._windows[name].newest_time for name in names if name in self._windows]
        return max((time for time in times if time is not None), default=None)

    def last_value(self, name: str) -> tuple[int, float] | None:
        """Return the time (ms) and value of the newest sample of a series that is no gap, None without one."""
        [series] = self.snapshot([name]).series
        _, t, v = series.columns
        return next(((time, value) for time, value in zip(t[::-1], v[::-1], strict=True) if not isnan(value)), None)

    def newest_samples(self, names: Iterable[str] | None = None) -> list[NewestSample]:
        """Return the newest sample of every series, or of the named ones that are there, by name."""
        with self._lock:
            wanted = sorted(self._windows if names is None else self._windows.keys() & names)
            windows = [(name, self._windows[name]) for name in wanted]
            rows = [(name, window.since(window.newest - 1)) for name, window in windows]
        return [
            NewestSample(name, seq[-1], t[-1], None if isnan(v[-1]) else v[-1])
            if seq
            else NewestSample(name, 0, None, None)
            for name, (seq, t, v) in rows
        ]

    @contextmanager
    def lock_within(self, timeout_s: float) -> Iterator[bool]:
        """Try the lock for *timeout_s* seconds; yields whether it was obtained. For health checks."""
        obtained = self._lock.acquire(timeout=timeout_s)
        try:
            yield obtained
        finally:
            if obtained:
                self._lock.release()
