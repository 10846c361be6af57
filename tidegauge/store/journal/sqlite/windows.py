"""The windows' content, read from the file at start: start-up is the length of every outage."""

from array import array
from collections.abc import Mapping, Sequence

import apsw
import numpy as np

from tidegauge.store.journal import Newest
from tidegauge.store.journal.sqlite import series_index as runs
from tidegauge.store.journal.sqlite.checksums import Columns, as_columns, outside, read_checked

SAMPLES = 1_000_000  # read in one go, and checked; further ones are looked up by the index


def read_newest(db: apsw.Connection) -> tuple[Columns, list[tuple[int, int]], int]:
    """Read and check the newest samples, about SAMPLES of them.

    Returns:
        See read_checked; but the last is the ``seq`` before the first that was read, 0 if all were.
    """
    query = "SELECT seq FROM sample ORDER BY seq DESC LIMIT 1 OFFSET ?"
    lower = next((seq for (seq,) in db.execute(query, (SAMPLES,))), 0)
    if lower:
        query = "SELECT last_seq FROM batch WHERE last_seq >= ? ORDER BY last_seq LIMIT 1"
        lower = next((seq for (seq,) in db.execute(query, (lower,))), 0)
    columns, damaged, _ = read_checked(db, lower, 2**63 - 1)
    return columns, damaged, lower


def windows(
    db: apsw.Connection,
    ids: Mapping[str, int],
    size: int,
    columns: Columns,
    *,
    lower: int,
    damaged: Sequence[tuple[int, int]],
    horizon: int,
) -> list[Newest]:
    """Return the newest *size* samples of every series of *ids*.

    Args:
        columns, lower: of read_newest.
        damaged: ranges of ``seq`` that are left out.
        horizon: the newest ``seq`` that is no longer kept.
    """
    kept = outside(columns[0], damaged)
    order = np.argsort(columns[1][kept], kind="stable")
    seq, series, times, values = (column[kept][order] for column in columns)
    numbers, starts = np.unique(series, return_index=True)
    ends = np.append(starts[1:], len(series))[: len(starts)]
    spans = {int(number): (int(start), int(end)) for number, start, end in zip(numbers, starts, ends, strict=True)}
    # One more than the window: it tells what has left it.
    short = {number: size + 1 - (end - start) for number in ids.values() for start, end in [spans.get(number, (0, 0))]}
    older = runs.newest(db, short, lower) if lower else as_columns(())
    first_of, end_of = (np.searchsorted(older[1], list(ids.values()), side) for side in ("left", "right"))
    found = []
    for name, first, last in zip(ids, first_of.tolist(), end_of.tolist(), strict=True):
        start, end = spans.get(ids[name], (0, 0))
        start = max(start, end - size - 1)
        parts = [
            np.append(old[first:last], column[start:end])
            for old, column in zip((older[0], older[2], older[3]), (seq, times, values), strict=True)
        ]
        evicted = int(parts[0][-size - 1]) if len(parts[0]) > size else horizon
        found.append(
            Newest(
                name,
                array("q", parts[0][-size:].tobytes()),
                array("q", parts[1][-size:].tobytes()),
                array("d", parts[2][-size:].tobytes()),
                evicted,
            )
        )
    return found
