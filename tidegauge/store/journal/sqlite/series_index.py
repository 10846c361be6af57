"""Which samples are of which series: an index that is written once for many samples, sorted by series.

SQLite's own index changes a page of each series with every batch, which halved the rate at which samples come in. A
*run* indexes the samples of a range of ``seq``, some 20,000: their numbers by series, in *slices* of about a thousand,
so that one series costs a look-up in each run. The *tail*, what came after the last run, is looked through.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import Any

import apsw
import numpy as np

from tidegauge.store.journal.sqlite.checksums import Int, Samples, as_columns, as_table, outside
from tidegauge.store.journal.sqlite.database import insert, transaction

RUN_SAMPLES = 20_000
SLICE_SAMPLES = 1_000
SPAN = 2**32  # of a run: a slice has 4 bytes for each sample
DENSE = 8  # a range is read as a whole where one in so many of its samples is wanted
NEVER, ALWAYS = -(2**63), 2**63 - 1  # ms


@dataclass(frozen=True)
class Run:
    """The range of a run, 0 < first <= last."""

    first: int
    last: int


def extend(db: apsw.Connection) -> None:
    """Make runs of the tail, until fewer than RUN_SAMPLES are left in it."""
    while True:
        end = _end(db)
        try:
            if db.execute("SELECT coalesce(max(seq), 0) FROM sample").get < end + RUN_SAMPLES:
                return  # most of the time, and nothing is counted
            query = "SELECT seq FROM sample WHERE seq > ? ORDER BY seq LIMIT 1 OFFSET ?"
            last = db.execute(query, (end, RUN_SAMPLES - 1)).get
        except apsw.CorruptError:  # an unreadable page is left out, and costs no more
            last = db.execute("SELECT min(last_seq) FROM batch WHERE last_seq >= ?", (end + RUN_SAMPLES,)).get
        if last is None:
            return
        make(db, end, last)
        if _end(db) == end:  # nothing of it can be read
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
    """Begin the index anew, beside slices that cannot be read and so cannot be deleted either; ``extend`` makes it."""
    with transaction(db):
        create = db.execute("SELECT sql FROM sqlite_schema WHERE name = 'slice'").get
        db.execute(f"ALTER TABLE slice RENAME TO damaged_slice_{_end(db)}")
        db.execute(create)
        db.execute("DELETE FROM run")


def _end(db: apsw.Connection) -> int:
    end: int = db.execute("SELECT coalesce(max(last_seq), 0) FROM run").get
    return end


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
    listed = []
    try:
        with db:  # one moment: retention may remove samples meanwhile
            [(horizon,)] = db.execute("SELECT horizon FROM journal")
            listed.append(_listed(db, run))
            seq, series, _ = _rows(db, run.first - 1, run.last)
    except apsw.CorruptError:  # also of the end of the block, once anything in it could not be read
        if not listed:
            raise
        return True  # nobody can tell
    order = np.lexsort((seq, series))
    listed.append((seq[order], series[order]))
    ranges = [(0, horizon), *left_out]
    ours, theirs = (np.stack(columns)[:, outside(columns[0], ranges)] for columns in listed)
    return np.array_equal(ours, theirs)


def within(db: apsw.Connection, after: int, to: int, start_ms: int = NEVER, end_ms: int = ALWAYS) -> list[Run]:
    """Return the runs that have samples with after < seq <= to and start_ms <= time < end_ms, in order."""
    query = """
        SELECT first_seq, last_seq FROM run
        WHERE last_seq > ? AND first_seq <= ? AND first_time < ? AND last_time >= ? ORDER BY last_seq
    """
    return [Run(*row) for row in db.execute(query, (after, to, end_ms, start_ms))]


def read(
    db: apsw.Connection,
    columns: str,
    series: int,
    after: int,
    to: int,
    start_ms: int | None = None,
    end_ms: int | None = None,
) -> Iterator[Iterable[tuple[Any, ...]]]:
    """Yield *columns* of a series' samples with after < seq <= to and start_ms <= time < end_ms, in the order of seq.

    A part for each run, not read ahead. What is damaged is left out, and not touched, as it may be unreadable.
    """
    start, end = NEVER if start_ms is None else start_ms, ALWAYS if end_ms is None else end_ms
    damage = list(db.execute("SELECT first_seq, last_seq FROM damage ORDER BY first_seq"))
    for run in within(db, after, to, start, end):
        seqs = _of(db, run, series)
        seqs = seqs[(seqs > after) & (seqs <= to) & outside(seqs, damage)]
        if not len(seqs):
            continue
        first, last = int(seqs[0]), int(seqs[-1])
        if last - first <= DENSE * len(seqs) and not _is_touched(first, last, damage):
            yield _range(db, columns, series, first - 1, last, start, end)
        else:
            query = f"""
                SELECT {columns} FROM (SELECT value AS wanted FROM carray(?1)) CROSS JOIN sample ON seq = wanted
                WHERE series = ?2 AND time >= ?3 AND time < ?4
            """  # noqa: S608 - columns are ours
            yield db.execute(query, (apsw.carray(seqs, flags=apsw.SQLITE_CARRAY_INT64), series, start, end))
    for low, high in _undamaged(max(after, _end(db)), to, damage):
        yield _range(db, columns, series, low, high, start, end)


def _range(
    db: apsw.Connection, columns: str, series: int, after: int, to: int, start: int, end: int
) -> Iterable[tuple[Any, ...]]:
    query = f"""
        SELECT {columns} FROM sample WHERE seq > ?1 AND seq <= ?2 AND series = ?3 AND time >= ?4 AND time < ?5
        ORDER BY seq
    """  # noqa: S608 - columns are ours
    return db.execute(query, (after, to, series, start, end))


def _undamaged(after: int, to: int, damage: Iterable[tuple[int, int]]) -> Iterator[tuple[int, int]]:
    """Yield the ranges (after, to] that are left of one."""
    for first, last in damage:
        if first > after:
            yield after, min(first - 1, to)
        after = max(after, last)
    if after < to:
        yield after, to


def _listed(db: apsw.Connection, run: Run) -> tuple[Int, Int]:
    """Return seq and series of all that is in a run, sorted by series, then by seq."""
    slices: Any = db.execute("SELECT seqs, series FROM slice WHERE run = ? ORDER BY highest", (run.last,)).fetchall()
    seq, series = (np.frombuffer(b"".join(one[n] for one in slices), "<u4").astype(np.int64) for n in (0, 1))
    return seq + run.first, series


def _of(db: apsw.Connection, run: Run, series: int) -> Int:
    """Return the ``seq`` of a series' samples in a run, in order."""
    query = "SELECT series, seqs FROM slice WHERE run = ? AND highest >= ? ORDER BY highest LIMIT 1"
    for ids, seqs in db.execute(query, (run.last, series)):
        numbers = np.frombuffer(ids, "<u4")
        start, end = np.searchsorted(numbers, (series, series + 1))
        found: Int = np.frombuffer(seqs, "<u4")[start:end].astype(np.int64) + run.first
        return found
    return np.zeros(0, np.int64)


def newest(db: apsw.Connection, wanted: Mapping[int, int], to: int = ALWAYS) -> Samples:
    """Return the newest samples of some series with seq <= to, sorted by series, then by seq.

    Args:
        wanted: how many of each, by the series' id.
    """
    missing = {number: count for number, count in wanted.items() if count > 0}
    damage = list(db.execute("SELECT first_seq, last_seq FROM damage ORDER BY first_seq"))
    parts = []
    for seq, series in _backwards(db, to, damage):
        if not missing:
            break
        kept = outside(seq, damage)
        seq, series = seq[kept], series[kept]
        numbers, starts, counts = np.unique(series, return_index=True, return_counts=True)
        taken = np.minimum([missing.get(number, 0) for number in numbers.tolist()], counts).astype(np.int64)
        from_end = np.repeat(starts + counts, counts) - np.arange(len(series))
        picked = np.sort(seq[from_end <= np.repeat(taken, counts)])
        if not len(picked):
            continue
        parts.append(_fetch(db, picked, damage))
        for number, count in zip(numbers.tolist(), taken.tolist(), strict=True):
            if count:
                missing[number] -= count
                if not missing[number]:
                    del missing[number]
    if not parts:
        return as_columns(())
    seq, series, times, values = (np.concatenate(column) for column in zip(*parts, strict=True))
    order = np.lexsort((seq, series))
    return seq[order], series[order], times[order], values[order]


def _backwards(db: apsw.Connection, to: int, damage: Sequence[tuple[int, int]]) -> Iterator[tuple[Int, Int]]:
    """Yield seq and series of the tail, then of each run from the last to the first; sorted by series, then by seq."""
    query = "SELECT seq, series FROM sample WHERE seq > ? AND seq <= ? ORDER BY seq"
    tail = [db.execute(query, bounds) for bounds in _undamaged(_end(db), to, damage)]
    table = as_table(chain(*tail), np.int64, 2)
    order = np.argsort(table[:, 1], kind="stable")
    yield table[order, 0], table[order, 1]
    for run in reversed(within(db, 0, to)):
        seq, series = _listed(db, run)
        yield seq[seq <= to], series[seq <= to]


def _fetch(db: apsw.Connection, seqs: Int, damage: Sequence[tuple[int, int]]) -> Samples:
    """Return the samples of these numbers, in order."""
    columns, first, last = "seq, series, time, ifnull(value, 9e999)", int(seqs[0]), int(seqs[-1])
    if last - first <= DENSE * len(seqs) and not _is_touched(first, last, damage):
        query = f"SELECT {columns} FROM sample WHERE seq BETWEEN ? AND ? ORDER BY seq"  # noqa: S608 - columns are ours
        seq, series, times, values = as_columns(db.execute(query, (first, last)))
        kept = np.isin(seq, seqs)
        return seq[kept], series[kept], times[kept], values[kept]
    query = f"SELECT {columns} FROM (SELECT value AS wanted FROM carray(?)) CROSS JOIN sample ON seq = wanted"  # noqa: S608
    return as_columns(db.execute(query, (apsw.carray(seqs, flags=apsw.SQLITE_CARRAY_INT64),)))


def _is_touched(first: int, last: int, damage: Iterable[tuple[int, int]]) -> bool:
    return any(low <= last and high >= first for low, high in damage)
