"""History: columns of a long span, as rates where that is wanted, thinned to what a screen can show."""

import numpy as np
from numpy.typing import NDArray

from tidegauge.store.series import Columns

Floats = NDArray[np.float64]


def rate(t: Floats, v: Floats, rate_s: float) -> tuple[Floats, Floats]:
    """Return how much a count has grown in *rate_s* seconds, between each sample and the one before it.

    Where it falls, the count has started again from 0. Next to a gap the rate is a gap; of samples of one time the last
    counts.

    Args:
        t, v: columns of equal length, in the order of *t*: ms, and values with NaN for a gap.

    Returns:
        Columns of equal length, shorter by one sample or more.
    """
    last = np.append(np.diff(t) > 0, True)[: len(t)]
    t, v = t[last], v[last]
    grown = np.diff(v)
    grown = np.where(grown < 0, v[1:], grown)
    return t[1:], grown / np.diff(t) * (1000 * rate_s)


def as_rate(columns: Columns, rate_s: float) -> Columns:
    """Return *columns* as ``rate`` has them, in the order of ``t``; ``seq`` is a mere number of the row."""
    _, t, v = columns.by_time()
    times, values = rate(np.array(t, np.float64), np.array(v, np.float64), rate_s)
    return Columns(range(len(times)), times.astype(int).tolist(), values.tolist())


def thin(t: Floats, v: Floats, start: float, end: float, columns: int) -> tuple[Floats, Floats]:
    """Return of each of *columns* equal parts of a span the first, the last, the lowest and the highest sample.

    View as a line in as many pixel columns, that is the same picture as of all samples (Jugel et al., M4: A
    Visualization-Oriented Time Series Data Aggregation, 2014). Of a part with gaps the first of them is kept, too.

    Args:
        t, v: columns of equal length, in the order of *t*, start <= t < end; NaN in *v* is a gap.
    """
    if len(t) <= 4 * columns:
        return t, v
    index = thin_index(t, v, start, end, columns)
    return t[index], v[index]


def thin_index(t: Floats, v: Floats, start: float, end: float, columns: int) -> NDArray[np.int64]:
    """Return which samples ``thin`` keeps, as their places, in order."""
    column = ((t - start) * columns // (end - start)).astype(np.int64)
    gaps = np.isnan(v)
    kept = [_firsts(column[gaps], np.flatnonzero(gaps))]
    values = np.flatnonzero(~gaps)
    if len(values):
        part, value = column[values], v[values]
        starts = np.flatnonzero(np.diff(part, prepend=part[0] - 1))
        counts = np.diff(starts, append=len(part))
        kept += [values[starts], values[starts + counts - 1]]
        for extreme in (np.minimum, np.maximum):
            reached = np.flatnonzero(value == np.repeat(extreme.reduceat(value, starts), counts))
            kept.append(values[reached[np.searchsorted(reached, starts)]])
    return np.unique(np.concatenate(kept))


def _firsts(column: NDArray[np.int64], index: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return the first *index* of each *column*; both are of equal length and *column* rises."""
    return index[np.flatnonzero(np.diff(column, prepend=-1))]
