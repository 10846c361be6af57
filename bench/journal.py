"""What a start, a reader and a history wait for: a million samples, of 1,000 series or of one."""

import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from random import random
from tempfile import TemporaryDirectory

from app.history import thin
from app.hub import Hub
from app.journal.checks import survey
from app.journal.database import connect_reader
from app.journal.sqlite import SqliteJournal

BUDGET = "budget"
ROUNDS = 3
MILLION = 1_000_000


def _opened(path: Path) -> Hub:
    hub = Hub(SqliteJournal(path), window=1000, max_series=1_000)
    hub.open()
    return hub


def _seconds(call: Callable[[], object]) -> float:
    started = time.perf_counter()
    call()
    return time.perf_counter() - started


def _fill(path: Path, series: int) -> None:
    hub = _opened(path)
    for start in range(0, MILLION, 10_000):
        hub.append([(f"s{n % series}", start + n, random()) for n in range(10_000)])  # noqa: S311
    hub.journal.close()


def _history(hub: Hub) -> None:
    _, columns = hub.history(["s0"], 0, MILLION)
    thin(*columns["s0"], 0, MILLION, 1400)


def measure() -> dict[str, list[float]]:
    """Return seconds."""
    with TemporaryDirectory(dir="/var/tmp") as folder:
        many, one = Path(folder, "many"), Path(folder, "one")
        _fill(many, 1000)
        _fill(one, 1)
        found: dict[str, list[float]] = {
            BUDGET: [1.0],
            "refill 1,000 windows of 1,000": [],
            "read a million of one": [],
            "thin a million of one to a screen": [],
            "check a million": [],
        }
        for _ in range(ROUNDS):
            journal = SqliteJournal(many)
            found["refill 1,000 windows of 1,000"].append(_seconds(lambda journal=journal: journal.open(1000)))
            journal.close()
            hub = _opened(one)
            found["read a million of one"].append(_seconds(lambda hub=hub: hub.read("s0", 0, limit=MILLION)))
            found["thin a million of one to a screen"].append(_seconds(lambda hub=hub: _history(hub)))
            hub.journal.close()
            with closing(connect_reader(many)) as db:
                found["check a million"].append(_seconds(lambda db=db: list(survey(db, MILLION))))
    return found
