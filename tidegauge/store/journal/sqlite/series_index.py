"""Which samples are of which series: an index that is written once for many samples, sorted by series.

SQLite's own index changes a page of each series with every batch, which halved the rate at which samples come in. A
*run* indexes the samples of a range of ``seq``, some 20,000: their numbers by series, in *slices* of about a thousand,
so that one series costs a look-up in each run. The *tail*, what came after the last run, is looked through. Here the
index is made and checked; ``by_series.py`` reads by it.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

import apsw
import numpy as np

from tidegauge.store.journal.sqlite.checksums import Int, as_table, outside
from tidegauge.store.journal.sqlite.database import insert, transaction

RUN_SAMPLES = 20_000
SLICE_SAMPLES = 1_000
SPAN = 2**32  # of a run: a slice has 4 bytes for each sample
NEVER, ALWAYS = -(2**63), 2**63 - 1  # ms


@dataclass(frozen=True)
class Run:
    """The range of a run, 0 < first <= last."""

    first: int
    last: int


def extend(db: apsw.Connection) -> None:
    """Make runs of the tail, until fewer than RUN_SAMPLES are left in it."""
    while True:
        after = end(db)
        try:
            if db.execute("SELECT coalesce(max(seq), 0) FROM sample").get < after + RUN_SAMPLES:
                return  # most of the time, and nothing is counted
            query = "SELECT seq FROM sample WHERE seq > ? ORDER BY seq LIMIT 1 OFFSET ?"
            last = db.execute(query, (after, RUN_SAMPLES - 1)).get
        except apsw.CorruptError:  # an unreadable page is left out, and costs no more
            last = db.execute("SELECT min(last_seq) FROM batch WHERE last_seq >= ?", (after + RUN_SAMPLES,)).get
        if last is None:
            return
        make(db, after, last)
        if end(db) == after:  # nothing of it can be read
            return


def make(db: apsw.Connection, after: int, to: int) -> None:
    """Make a run of the samples with after < seq <= to, in the place of those that are there."""
    seq, series, times = _readable(db, after, to)
    with transaction(db):
        db.execute("DELETE FROM run WHERE last_seq > ? AND last_seq <= ?", (after, to))
        db.execute("DELETE FROM slice WHERE run > ? AND run <= ?", (after, to))
        while len(seq):
            size = int(np.searchsorted(seq, seq[0] + SPAN))
            first, last = int(seq[0]), int(seq[size - 1])
            db.execute(
                "INSERT INTO run (last_seq, first_seq, first_time, last_time) VALUES (?, ?, ?, ?)",
                (last, first, int(times[:size].min()), int(times[:size].max())),
            )
            insert(db, "slice", list(_slices(first, last, seq[:size], series[:size])))
            seq, series, times = seq[size:], series[size:], times[size:]


def renew(db: apsw.Connection) -> None:
    """Start a new index, beside slices that cannot be read and so cannot be deleted either; ``extend`` makes it."""
    with transaction(db):
        create = db.execute("SELECT sql FROM sqlite_schema WHERE name = 'slice'").get
        db.execute(f"ALTER TABLE slice RENAME TO damaged_slice_{end(db)}")
        db.execute(create)
        db.execute("DELETE FROM run")


def end(db: apsw.Connection) -> int:
    """Return the last ``seq`` of the last run."""
    last: int = db.execute("SELECT coalesce(max(last_seq), 0) FROM run").get
    return last


def _rows(db: apsw.Connection, after: int, to: int) -> tuple[Int, Int, Int]:
    """Return seq, series and time of the samples with after < seq <= to."""
    query = "SELECT seq, series, time FROM sample WHERE seq > ? AND seq <= ? ORDER BY seq"
    table = as_table(db.execute(query, (after, to)), np.int64, 3)
    if len(table) < to - after:  # one whose number is damaged may have ended it: from the other end, too
        table = np.concatenate([table, as_table(db.execute(f"{query} DESC", (after, to)), np.int64, 3)])
        _, places = np.unique(table[:, 0], return_index=True)
        table = table[places]
        table = table[(table[:, 0] > after) & (table[:, 0] <= to)]
    return table[:, 0], table[:, 1], table[:, 2]


def _readable(db: apsw.Connection, after: int, to: int) -> tuple[Int, Int, Int]:
    """Return what of that can be read: halves of what cannot be read as a whole."""
    try:
        return _rows(db, after, to)
    except apsw.CorruptError:
        if to - after <= 1:
            return (np.zeros(0, np.int64),) * 3
        middle = (after + to) // 2
        halves = zip(_readable(db, after, middle), _readable(db, middle, to), strict=True)
        seq, series, times = (np.concatenate(parts) for parts in halves)
        return seq, series, times


def _slices(first: int, last: int, seq: Int, series: Int) -> Iterator[tuple[int, int, bytes, bytes]]:
    """Yield the rows of a run's slices. A series is in one of them alone."""
    order = np.argsort(series, kind="stable")
    series, offsets = series[order], (seq[order] - first).astype("<u4")
    starts = np.flatnonzero(np.append(True, series[1:] != series[:-1]))  # of each series
    edges = starts[np.flatnonzero(np.append(True, np.diff(starts // SLICE_SAMPLES) > 0))]
    for start, end in zip(edges.tolist(), [*edges[1:].tolist(), len(series)], strict=True):
        part = series[start:end]
        yield last, int(part[-1]), part.astype("<u4").tobytes(), offsets[start:end].tobytes()


def agrees(db: apsw.Connection, run: Run, left_out: Iterable[tuple[int, int]]) -> bool:
    """Tell whether a run has the samples that are there, and no others.

    Args:
        left_out: ranges of ``seq`` that are not compared.

    Raises:
        apsw.CorruptError: the run cannot be read.
    """
    found = []
    try:
        with db:  # one moment: retention may remove samples meanwhile
            [(horizon,)] = db.execute("SELECT horizon FROM journal")
            found.append(listed(db, run))
            seq, series, _ = _rows(db, run.first - 1, run.last)
    except apsw.CorruptError:  # also of the end of the block, once anything in it could not be read
        if not found:
            raise
        return True  # nobody can tell
    order = np.lexsort((seq, series))
    found.append((seq[order], series[order]))
    ranges = [(0, horizon), *left_out]
    ours, theirs = (np.stack(columns)[:, outside(columns[0], ranges)] for columns in found)
    return np.array_equal(ours, theirs)


def within(db: apsw.Connection, after: int, to: int, start_ms: int = NEVER, end_ms: int = ALWAYS) -> list[Run]:
    """Return the runs that have samples with after < seq <= to and start_ms <= time < end_ms, in order."""
    query = """
        SELECT first_seq, last_seq FROM run
        WHERE last_seq > ? AND first_seq <= ? AND first_time < ? AND last_time >= ? ORDER BY last_seq
    """
    return [Run(*row) for row in db.execute(query, (after, to, end_ms, start_ms))]


def listed(db: apsw.Connection, run: Run) -> tuple[Int, Int]:
    """Return seq and series of all that is in a run, sorted by series, then by seq."""
    slices: Any = db.execute("SELECT seqs, series FROM slice WHERE run = ? ORDER BY highest", (run.last,)).fetchall()
    seq, series = (np.frombuffer(b"".join(one[n] for one in slices), "<u4").astype(np.int64) for n in (0, 1))
    return seq + run.first, series
