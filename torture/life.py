"""A journal's life: batches appended by several threads, checkpoints, retention, the index, closes."""

from dataclasses import dataclass
from itertools import count
from pathlib import Path
from random import Random
from threading import Lock, Thread

import pytest

from tidegauge.store.hub import Hub
from tidegauge.store.journal.sqlite import database
from tidegauge.store.journal.sqlite.journal import SqliteJournal
from tidegauge.store.journal.sqlite.retention import Retention
from tidegauge.store.times import now_ms
from torture.disk import Disk, Kind

A_LIFE = 1_000_000  # samples; more than any life brings
FILE = "journal.sqlite"
WINDOW = 50  # samples: most are read by the index


@dataclass(frozen=True)
class Batch:
    """What was appended at once: consecutive values, unlike any other batch's, of one series."""

    series: str
    values: range
    start_ms: int | None  # of the first; None: they carry no time, so that a repeat is not seen

    def append(self, hub: Hub) -> int:
        times = [None if self.start_ms is None else self.start_ms + at for at in range(len(self.values))]
        push = None if self.start_ms is None else self.values.start.to_bytes(16, "big")
        readings = [(self.series, time, float(value)) for time, value in zip(times, self.values, strict=True)]
        return hub.append(readings, push).seq


@dataclass(frozen=True)
class Kept:
    """A batch that was acknowledged, and the number of its last sample."""

    batch: Batch
    last: int

    def numbers(self) -> dict[int, int]:
        """Return the number of each value."""
        return dict(zip(self.batch.values, range(self.last - len(self.batch.values) + 1, self.last + 1), strict=True))


class Life:
    """How much of what is done to a journal; *level* is SQLite's ``synchronous``."""

    def __init__(self, random: Random, level: str) -> None:
        self.random = random
        self.level = level
        self.sessions = random.randint(1, 3)
        self.threads = random.randint(1, 3)
        self.appends = random.randint(5, 40)  # a thread and session
        self.longest = random.choice([3, 60, 400])  # batch, samples
        self.series = random.randint(1, 8)
        self.checkpoint = random.choice([10, 40, 200, 16_000])  # pages
        self.run = random.choice([100, 500, 20_000])  # samples
        self.kept = random.choice([600, 50 * A_LIFE])  # samples: what retention leaves
        self.batches: list[Batch] = []
        self._value = count(1)
        self._lock = Lock()

    def batch(self, random: Random) -> Batch:
        with self._lock:
            start = next(self._value)
            values = range(start, start + random.randint(1, self.longest))
            self._value = count(values.stop)
            start_ms = now_ms() if random.random() < 0.5 else None
            one = Batch(f"torture.{random.randrange(self.series)}", values, start_ms)
            self.batches.append(one)
        return one

    def patch(self, patch: pytest.MonkeyPatch) -> None:
        """Make checkpoints, the index and retention as frequent as this life wants them."""
        patch.setattr(SqliteJournal, "synchronous", self.level)
        others = [one for one in database.PRAGMAS if not one.startswith("wal_autocheckpoint")]
        patch.setattr(database, "PRAGMAS", (*others, f"wal_autocheckpoint = {self.checkpoint}"))
        patch.setattr("tidegauge.store.journal.sqlite.series_index.RUN_SAMPLES", self.run)
        patch.setattr("tidegauge.store.journal.sqlite.journal.IDLE_S", 0.005)  # between two looks at both

    def open(self, folder: Path) -> Hub:
        hub = Hub(SqliteJournal(folder / FILE, Retention(samples=self.kept)), window=WINDOW, max_series=100)
        hub.open()
        return hub

    def do(self, folder: Path, disk: Disk) -> None:
        """Append from several threads, close, open again, and so on."""
        for _ in range(self.sessions):
            hub = self.open(folder)
            seeds = [self.random.getrandbits(64) for _ in range(self.threads)]
            threads = [Thread(target=self._append, args=(hub, disk, Random(seed))) for seed in seeds]
            for one in threads:
                one.start()
            for one in threads:
                one.join()
            hub.journal.close()

    def _append(self, hub: Hub, disk: Disk, random: Random) -> None:
        for _ in range(self.appends):
            self.append(hub, disk, self.batch(random))

    def append(self, hub: Hub, disk: Disk, one: Batch) -> int:
        last = one.append(hub)
        disk.add(Kind.NOTE, note=Kept(one, last))
        return last
