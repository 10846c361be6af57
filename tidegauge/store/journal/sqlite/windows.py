"""The windows' content, read from the file at start: start-up is the length of every outage."""

from array import array
from collections.abc import Sequence

import apsw
import numpy as np

from tidegauge.store.journal import WindowContent
from tidegauge.store.journal.sqlite import series_index
from tidegauge.store.journal.sqlite.checksums import Samples, as_columns, outside, read_checked
from tidegauge.store.journal.sqlite.writer import Writer

SAMPLES = 1_000_000  # read in one go, and checked; further ones are looked up by the index


def read_newest(db: apsw.Connection) -> tuple[Samples, list[tuple[int, int]], int]:
    """Read and check the newest samples, about SAMPLES of them.

    Returns:
        See read_checked; but the last is the ``seq`` before the first that was read, 0 if all were.
    """
    query = "SELECT seq FROM sample ORDER BY seq DESC LIMIT 1 OFFSET ?"
    lower = next((seq for (seq,) in db.execute(query, (SAMPLES,))), 0)
    if lower:
        query = "SELECT last_seq FROM batch WHERE last_seq >= ? ORDER BY last_seq LIMIT 1"
        lower = next((seq for (seq,) in db.execute(query, (lower,))), 0)
    samples, damaged, _ = read_checked(db, lower, 2**63 - 1)
    return samples, damaged, lower


def contents(
    db: apsw.Connection,
    writer: Writer,
    size: int,
    samples: Samples,
    unread_to: int,
    damaged: Sequence[tuple[int, int]],
) -> list[WindowContent]:
    """Return the newest *size* samples of every series.

    Args:
        writer: knows the series, and what is no longer kept.
        samples, unread_to: of read_newest.
        damaged: ranges of ``seq`` that are left out.
    """
    ids = writer.ids
    kept = outside(samples[0], damaged)
    order = np.argsort(samples[1][kept], kind="stable")
    seq, series, times, values = (column[kept][order] for column in samples)
    numbers, starts = np.unique(series, return_index=True)
    ends = np.append(starts[1:], len(series))[: len(starts)]
    spans = {int(number): (int(start), int(end)) for number, start, end in zip(numbers, starts, ends, strict=True)}
    # One more than the window: it tells what has left it.
    short = {number: size + 1 - (end - start) for number in ids.values() for start, end in [spans.get(number, (0, 0))]}
    older = series_index.newest(db, short, unread_to) if unread_to else as_columns(())
    first_of, end_of = (np.searchsorted(older[1], list(ids.values()), side) for side in ("left", "right"))
    found = []
    for name, first, last in zip(ids, first_of.tolist(), end_of.tolist(), strict=True):
        start, end = spans.get(ids[name], (0, 0))
        start = max(start, end - size - 1)
        parts = [
            np.append(old[first:last], column[start:end])
            for old, column in zip((older[0], older[2], older[3]), (seq, times, values), strict=True)
        ]
        evicted = int(parts[0][-size - 1]) if len(parts[0]) > size else writer.horizon
        found.append(
            WindowContent(
                name,
                array("q", parts[0][-size:].tobytes()),
                array("q", parts[1][-size:].tobytes()),
                array("d", parts[2][-size:].tobytes()),
                evicted,
            )
        )
    return found
