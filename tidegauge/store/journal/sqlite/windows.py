"""The windows' content, read from the file at start: start-up is the length of every outage."""

from array import array
from collections.abc import Sequence

import apsw
import numpy as np

from tidegauge.store.journal import WindowContent
from tidegauge.store.journal.sqlite import by_series
from tidegauge.store.journal.sqlite.checksums import Float, Int, Samples, as_columns, outside, read_checked
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
    places = np.flatnonzero(outside(samples[0], damaged))
    seq, series, times, values = samples
    order = places[np.argsort(series[places], kind="stable")]
    newest = _BySeries((seq[order], series[order], times[order], values[order]))
    # One more than the window: it tells what has left it.
    short = {number: size + 1 - newest.count(number) for number in ids.values()}
    older = _BySeries(by_series.newest(db, short, unread_to) if unread_to else as_columns(()))
    found = []
    for name, number in ids.items():
        parts = zip(older.of(number), newest.of(number, size + 1), strict=True)
        seq, times, values = (np.append(*both) for both in parts)
        evicted = int(seq[-size - 1]) if len(seq) > size else writer.horizon
        found.append(
            WindowContent(
                name,
                array("q", seq[-size:].tobytes()),
                array("q", times[-size:].tobytes()),
                array("d", values[-size:].tobytes()),
                evicted,
            )
        )
    return found


class _BySeries:
    """Samples in the order of their series, and where each series begins and ends."""

    def __init__(self, samples: Samples) -> None:
        self._seq, series, self._times, self._values = samples
        numbers, starts = np.unique(series, return_index=True)
        ends = np.append(starts[1:], len(series))
        self._spans = dict(zip(numbers.tolist(), zip(starts.tolist(), ends.tolist(), strict=False), strict=True))

    def count(self, number: int) -> int:
        """Return how many samples a series has."""
        start, end = self._spans.get(number, (0, 0))
        return int(end - start)

    def of(self, number: int, most: int | None = None) -> tuple[Int, Int, Float]:
        """Return ``seq``, time and value of a series' samples; of its newest *most*."""
        start, end = self._spans.get(number, (0, 0))
        if most is not None:
            start = max(start, end - most)
        return self._seq[start:end], self._times[start:end], self._values[start:end]
