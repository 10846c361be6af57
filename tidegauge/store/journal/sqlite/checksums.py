"""Checksums of batches: SQLite does not notice a payload byte that has changed on the disk."""

from collections.abc import Iterable, Sequence
from itertools import chain
from math import nan
from struct import Struct
from typing import Any, TypeVar

import apsw
import numpy as np
from numpy.typing import NDArray

Int = NDArray[np.int64]
Float = NDArray[np.float64]
Samples = tuple[Int, Int, Int, Float]  # columns of equal length: seq, series by id, time, value
Number = TypeVar("Number", np.int64, np.float64)

# The finalizer of splitmix64 (Steele, Lea, Flood: Fast Splittable Pseudorandom Number Generators, 2014).
_ROUNDS = ((30, 0xBF58476D1CE4E5B9), (27, 0x94D049BB133111EB), (31, 1))


_DOUBLE, _UINT64 = Struct("=d"), Struct("=Q")
_MASK = 2**64 - 1


def _mix(bits: NDArray[np.uint64]) -> NDArray[np.uint64]:
    for shift, factor in _ROUNDS:
        bits = (bits ^ (bits >> np.uint64(shift))) * np.uint64(factor)
    return bits


def as_table(rows: Iterable[tuple[Any, ...]], kind: type[Number], width: int) -> NDArray[Number]:
    """Return rows of *width* numbers as an array; raises apsw.CorruptError where a damaged row has something else."""
    try:
        return np.fromiter(chain.from_iterable(rows), kind).reshape(-1, width)
    except (TypeError, ValueError, OverflowError) as error:
        raise apsw.CorruptError(f"a row has something else than numbers: {error}") from error


def as_columns(rows: Iterable[tuple[int, int, int, float]]) -> Samples:
    """Return rows of (seq, series id, time, value) as columns; a gap, inf in the rows, becomes NaN.

    All of them below 2**53, as they go through one array of doubles: three times as fast as a column each.

    Raises:
        apsw.CorruptError: a damaged row has something else.
    """
    table = as_table(rows, np.float64, 4)
    if np.isnan(table[:, :3]).any():
        raise apsw.CorruptError("a sample lacks its number, series or time")
    seq, series, time = table[:, :3].T.astype(np.int64)
    value = table[:, 3].copy()
    value[np.isinf(value)] = np.nan
    return seq, series, time, value


def checksums(seq: Int, series: Int, time: Int, value: Float, ends: Int) -> Int:
    """Return a checksum for each batch: the sum modulo 2**64 of a hash of each of its samples.

    A single changed sample is missed once in 2**64 times.

    Args:
        seq, series, time, value: columns of equal length; ``series`` by id, a gap is NaN.
        ends: for each batch, in order, the row after its last; they rise.
    """
    # SQLite returns -0.0 as 0.0; any NaN is a gap and was stored as NULL.
    values = np.where(np.isnan(value), np.nan, value + 0.0).view(np.uint64)
    bits = _mix(values)
    for column in (time, series, seq):
        bits = _mix(bits ^ column.astype(np.uint64))
    sums = np.concatenate([np.zeros(1, np.uint64), np.cumsum(bits, dtype=np.uint64)])
    starts = np.concatenate([np.zeros(1, np.int64), ends[:-1]])
    result: Int = (sums[ends] - sums[starts]).view(np.int64)
    return result


def checksum(rows: Iterable[tuple[int, int, int, float | None]]) -> int:
    """Return the checksum of one batch, equal to that of ``checksums``; it is faster for few rows.

    Args:
        rows: (seq, series id, time, value or None for a gap).
    """
    total = 0
    for seq, series, time, value in rows:
        bits = 0
        for column in (*_UINT64.unpack(_DOUBLE.pack(nan if value is None else value + 0.0)), time, series, seq):
            bits ^= column & _MASK
            for shift, factor in _ROUNDS:
                bits = (bits ^ (bits >> shift)) * factor & _MASK
        total += bits
    return (total + 2**63) % 2**64 - 2**63


def outside(seq: Int, ranges: Iterable[tuple[int, int]]) -> NDArray[np.bool_]:
    """Tell of each ``seq`` whether it is in none of *ranges*, first and last included."""
    kept = np.full(len(seq), fill_value=True)
    for first, last in ranges:
        kept &= (seq < first) | (seq > last)
    return kept


def damaged(
    seq: Int, series: Int, time: Int, value: Float, batches: Sequence[tuple[int, int, int]]
) -> list[tuple[int, int]]:
    """Return the batches, as (first_seq, last_seq), whose samples are not those that were written; and samples of none.

    Args:
        seq, series, time, value: the samples found, in the order of ``seq``.
        batches: (first_seq, last_seq, checksum) in order, covering the samples.

    Raises:
        apsw.CorruptError: a batch has something else than numbers.
    """
    if not batches:
        return []
    first, last, expected = as_table(batches, np.int64, 3).T
    lost: list[tuple[int, int]] = []
    if len(seq) > (last - first + 1).sum():  # of some the batch is lost: they are no part of the next one
        batch = np.minimum(np.searchsorted(last, seq), len(last) - 1)
        of_none = (seq < first[batch]) | (seq > last[batch])
        for number in {*batch[of_none].tolist()}:
            part = seq[of_none & (batch == number)]
            lost.append((int(part[0]), int(part[-1])))
        seq, series, time, value = (column[~of_none] for column in (seq, series, time, value))
    ends = np.searchsorted(seq, last, side="right")
    starts = np.concatenate([np.zeros(1, np.int64), ends[:-1]])
    wrong = checksums(seq, series, time, value, ends) != expected
    # Also a sample more or less.
    wrong |= ends - starts != last - first + 1
    return sorted([*lost, *((int(first[i]), int(last[i])) for i in np.flatnonzero(wrong))])


def joined(columns: Samples, backwards: Samples) -> Samples:
    """Return what was read from both ends, in order: a row whose number is damaged ends a look at those behind it."""
    seq, series, time, value = (np.concatenate(both) for both in zip(columns, backwards, strict=True))
    _, places = np.unique(seq, return_index=True)
    return seq[places], series[places], time[places], value[places]


def begin_of(first: object, last: int, before: int) -> int:
    """Return where the batch up to *last* begins: at *first*, as its row says, or behind *before* if that cannot be."""
    return first if isinstance(first, int) and before < first <= last else before + 1


def read_checked(
    db: apsw.Connection, after: int, to: int, limit: int = -1
) -> tuple[Samples, list[tuple[int, int]], int]:
    """Read the samples of the batches with after < last_seq <= to, and check them.

    Args:
        limit: stop after the batch that reaches so many samples; -1: never.

    Returns:
        The samples as columns, the batches that are damaged, and the last seq that was read (*after*: there was none).
    """
    query = "SELECT first_seq, last_seq, checksum FROM batch WHERE last_seq > ? AND last_seq <= ? ORDER BY last_seq"
    batches, wrong, samples, end = [], set(), 0, after
    with db:  # one moment: retention may remove batches meanwhile
        for recorded, last, checksum in db.execute(query, (after, to)):
            first = begin_of(recorded, last, end)
            batches.append((first, last, checksum))
            if first != recorded:
                wrong.add((first, last))
            samples += last - first + 1
            end = last
            if samples >= limit > 0:
                break
        query = "SELECT seq, series, time, ifnull(value, 9e999) FROM sample WHERE seq > ? AND seq <= ? ORDER BY seq"
        columns = as_columns(db.execute(query, (after, end)))
        if len(columns[0]) < samples or (np.diff(columns[0]) <= 0).any():
            columns = joined(columns, as_columns(db.execute(f"{query} DESC", (after, end))))
    return columns, sorted(wrong.union(damaged(*columns, batches))), end
