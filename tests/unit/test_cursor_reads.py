"""Reads by cursor, over any interleaving of appends, removals of the oldest, restarts and readers."""

from itertools import count
from pathlib import Path
from tempfile import TemporaryDirectory
from unittest import mock

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, rule

from tidegauge.errors import CursorGone
from tidegauge.store.hub import Hub
from tidegauge.store.journal import Reading, Sample
from tidegauge.store.journal.sqlite.journal import SqliteJournal
from tidegauge.store.journal.sqlite.retention import Retention

SERIES = ("a", "b")
names = st.sampled_from(SERIES)
times = st.integers(0, 30)  # any order, and some twice
limits = st.integers(1, 8)
ALL = 10_000


class CursorReads(RuleBasedStateMachine):
    """Followers that read page by page; ``log`` is all that was ever appended to each series."""

    def __init__(self) -> None:
        super().__init__()
        self.folder = TemporaryDirectory()
        self.log: dict[str, list[Sample]] = {name: [] for name in SERIES}
        self.cursors = dict.fromkeys(SERIES, 0)
        self.values = count()

    @initialize(window=st.integers(1, 6), samples=st.integers(1, 20))
    def open(self, window: int, samples: int) -> None:
        self.sizes = window, samples
        with mock.patch(
            "tidegauge.store.journal.sqlite.journal.IDLE_S", 3600
        ):  # the oldest are removed here, by append
            self.journal = SqliteJournal(Path(self.folder.name, "journal"), Retention(samples=samples))
        self.hub = Hub(self.journal, window=window, max_series=10)
        self.hub.open()
        self.hub.windows.declare(SERIES)

    @rule()
    def restart(self) -> None:
        self.journal.close()
        self.open(*self.sizes)

    @rule(batches=st.lists(st.lists(st.tuples(names, times), min_size=1, max_size=8), min_size=1), trims=st.booleans())
    def append(self, batches: list[list[tuple[str, int]]], trims: bool) -> None:
        for batch in batches:
            readings: list[Reading] = [(name, time, float(next(self.values))) for name, time in batch]
            readings.append((batch[0][0], ALL + next(self.values), None))  # a gap, as no other
            last = self.hub.append(readings).seq
            for seq, (name, time, value) in enumerate(readings, last + 1 - len(readings)):
                self.log[name].append((seq, time or 0, value))
        if trims:
            self.journal._writer.trim(self.journal.retention)

    @rule(name=names, limit=limits)
    def follow(self, name: str, limit: int) -> None:
        self.next_page(name, limit)

    def next_page(self, name: str, limit: int) -> list[Sample]:
        cursor = self.cursors[name]
        try:
            page = self.hub.read(name, cursor, limit=limit)
        except CursorGone as error:
            assert cursor < error.oldest <= self.journal._writer.horizon
            self.cursors[name] = cursor = error.oldest
            page = self.hub.read(name, cursor, limit=limit)
        after = cursor or min(
            [self.journal._writer.horizon, *(seq - 1 for seq, _, _ in page[:1])]
        )  # 0: the oldest that is kept
        assert page == [row for row in self.log[name] if row[0] > after][:limit]
        if page:
            self.cursors[name] = page[-1][0]
        return page

    @rule(name=names, limit=limits, start=st.none() | times, end=st.none() | times, is_first=st.booleans())
    def read_a_span(self, name: str, limit: int, start: int | None, end: int | None, is_first: bool) -> None:
        cursor = 0 if is_first else self.cursors[name]
        try:
            rows = self.hub.read(name, cursor, limit=ALL)
        except CursorGone:
            return
        low, high = -1 if start is None else start, 2 * ALL if end is None else end
        within = [row for row in rows if low <= row[1] < high]
        assert self.hub.read(name, cursor, start_ms=start, end_ms=end, limit=limit) == within[:limit]

    def teardown(self) -> None:
        for name in SERIES:
            while self.next_page(name, 8):
                pass
        self.journal.close()
        self.folder.cleanup()


CursorReads.TestCase.settings = settings(stateful_step_count=settings().stateful_step_count * 3 // 5)
test_a_follower_sees_every_sample_once_or_is_told_where_to_go_on = CursorReads.TestCase
