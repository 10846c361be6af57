"""Reads samples by their series, through the index; see series_index.py. What is damaged is left out."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import chain
from typing import Any

import apsw
import numpy as np

from tidegauge.store.journal.sqlite import series_index
from tidegauge.store.journal.sqlite.checksums import Int, Samples, as_columns, as_table, outside

DENSE = 8  # a range is read as a whole where one in so many of its samples is wanted


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
    start, end = series_index.NEVER if start_ms is None else start_ms, series_index.ALWAYS if end_ms is None else end_ms
    damage = list(db.execute("SELECT first_seq, last_seq FROM damage ORDER BY first_seq"))
    for run in series_index.within(db, after, to, start, end):
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
    for low, high in _undamaged(max(after, series_index.end(db)), to, damage):
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


def _of(db: apsw.Connection, run: series_index.Run, series: int) -> Int:
    """Return the ``seq`` of a series' samples in a run, in order."""
    query = "SELECT series, seqs FROM slice WHERE run = ? AND highest >= ? ORDER BY highest LIMIT 1"
    for ids, seqs in db.execute(query, (run.last, series)):
        numbers = np.frombuffer(ids, "<u4")
        start, end = np.searchsorted(numbers, (series, series + 1))
        found: Int = np.frombuffer(seqs, "<u4")[start:end].astype(np.int64) + run.first
        return found
    return np.zeros(0, np.int64)


def newest(db: apsw.Connection, wanted: Mapping[int, int], to: int = series_index.ALWAYS) -> Samples:
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
    tail = [db.execute(query, bounds) for bounds in _undamaged(series_index.end(db), to, damage)]
    table = as_table(chain(*tail), np.int64, 2)
    order = np.argsort(table[:, 1], kind="stable")
    yield table[order, 0], table[order, 1]
    for run in reversed(series_index.within(db, 0, to)):
        seq, series = series_index.listed(db, run)
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
