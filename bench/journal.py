"""What a start, a reader and a history wait for: a million samples, of 1,000 series or of one."""

import time
from collections.abc import Callable
from contextlib import closing
from functools import partial
from pathlib import Path
from random import random
from tempfile import TemporaryDirectory

from bench.report import Table
from tidegauge.store.hub import Hub
from tidegauge.store.journal.sqlite.database import connect_reader
from tidegauge.store.journal.sqlite.journal import SqliteJournal
from tidegauge.store.journal.sqlite.scrub import scrub
from tidegauge.store.thinning import thin
from tidegauge.store.windows import Windows

BUDGET = "budget"
MILLION = 1_000_000


def _opened(path: Path) -> Hub:
    hub = Hub(SqliteJournal(path), window=1000, max_series=1_000)
    hub.open()
    return hub


def _seconds(call: Callable[[], object]) -> float:
    started = time.perf_counter()
    call()
    return time.perf_counter() - started


def _fill(path: Path, series: int, samples: int) -> None:
    hub = _opened(path)
    for start in range(0, samples, 10_000):
        hub.append([(f"s{n % series}", start + n, random()) for n in range(10_000)])
    hub.journal.close()


def _history(hub: Hub, samples: int) -> None:
    _, columns = hub.history(["s0"], 0, samples)
    thin(*columns["s0"], 0, samples, 1400)


def measure(rounds: int, samples: int = MILLION) -> Table:
    """Return seconds."""
    table = Table(f"The journal, {samples:,} samples", {"time": "s"}, BUDGET, "time")
    table.add(BUDGET, time=1.0)
    with TemporaryDirectory(dir="/var/tmp") as folder:
        many, one = Path(folder, "many"), Path(folder, "one")
        _fill(many, 1000, samples)
        _fill(one, 1, samples)
        for _ in range(rounds):
            journal, windows = SqliteJournal(many), Windows(size=1000, max_series=1000)
            table.add("refill 1,000 windows of 1,000", time=_seconds(partial(journal.open, windows)))
            journal.close()
            hub = _opened(one)
            table.add("read all of one series", time=_seconds(lambda hub=hub: hub.read("s0", 0, limit=samples)))
            table.add("thin them to a screen", time=_seconds(lambda hub=hub: _history(hub, samples)))
            hub.journal.close()
            with closing(connect_reader(many)) as db:
                table.add("check all", time=_seconds(lambda db=db: list(scrub(db, samples))))
    return table
