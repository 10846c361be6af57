"""Sparklines: a series' window as one small line, for the cards of the front page and for ``/spark``."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from math import isnan

import numpy as np
from numpy.typing import NDArray

from tidegauge.store.series import Columns
from tidegauge.store.thinning import thin_index

POINTS = 60  # of a card's line, at most
MARGIN = 3  # left free at every edge, so that no stroke is cut off
Run = list[tuple[float, float]]  # points without a gap between them


@dataclass(frozen=True)
class Sparkline:
    """A series' window as SVG path data, in a box of some width and height; all are "" without a value.

    ``line`` is broken where the series has a gap, ``area`` lies between it and the bottom, ``end`` is a point at the
    newest value. ``low`` and ``high`` bound the values, ``newest`` is the last of them (None without any), and
    ``span_ms`` is the time from the first sample to the last.
    """

    line: str = ""
    area: str = ""
    end: str = ""
    low: float = 0.0
    high: float = 0.0
    newest: float | None = None
    span_ms: int = 0


def sparkline(columns: Columns, width: int, height: int, points: int = POINTS) -> Sparkline:
    """Return *columns* as a sparkline of at most *points* points, from the first sample to the last."""
    columns = columns.by_time()
    t, v = np.array(columns.t, np.float64), np.array(columns.v, np.float64)
    values = v[~np.isnan(v)]
    if not len(values):
        return Sparkline()
    low, high = float(values.min()), float(values.max())
    left, right = float(t[0]), float(t[-1])

    def place(time: float, value: float) -> tuple[int, int]:
        across = (time - left) / (right - left) if right > left else 1.0
        # Halves, as the difference of the largest floats is infinite.
        up = (value / 2 - low / 2) / (high / 2 - low / 2) if high > low else 0.5
        return round(MARGIN + across * (width - 2 * MARGIN)), round(height - MARGIN - up * (height - 2 * MARGIN))

    runs = [[place(time, value) for time, value in run] for run in thinned(t, v, points)]
    line = "".join(_path(run) for run in runs)
    area = "".join(f"{_path(run)}V{height}H{run[0][0]}Z" for run in runs)
    x, y = runs[-1][-1]
    return Sparkline(line, area, f"M{x} {y}h0", low, high, float(values[-1]), int(right - left))


def thinned(t: NDArray[np.float64], v: NDArray[np.float64], points: int) -> Iterator[Run]:
    """Yield the runs of values between gaps, thinned to *points* points in all, with every peak.

    A gap stays one, however short it is.

    Args:
        t: times in their order.
        v: values of the same length; NaN is a gap.
        points: >= 4.
    """
    gaps = np.isnan(v)
    kept = np.flatnonzero(~gaps)
    if len(kept) > points:
        kept = kept[thin_index(t[kept], v[kept], t[0], t[-1] + 1, points // 4)]
    for run in np.split(kept, np.flatnonzero(np.diff(np.cumsum(gaps)[kept])) + 1):
        yield list(zip(t[run].tolist(), v[run].tolist(), strict=True))


def _path(run: Sequence[tuple[int, int]]) -> str:
    first, *others = (f"{x} {y}" for x, y in run)
    return f"M{first}L{' '.join(others)}" if others else f"M{first}h0"  # a point: drawn by its round cap


def number_text(value: float | None, unit: str = "") -> str:
    """Return *value* as a short text for people: ``12.5``, ``133.4 M``, ``3.2e-09``; "no value" for None and NaN."""
    if value is None or isnan(value):
        return "no value"
    size = abs(value)
    if size >= 1e15 or 0 < size < 1e-3:
        text = f"{value:.2e}"
    else:
        factor, letter = next((pair for pair in ((1e12, "T"), (1e9, "G"), (1e6, "M")) if size >= pair[0]), (1.0, ""))
        text = f"{value / factor:.4g}" if size / factor < 10_000 else f"{value / factor:,.0f}"
        text = f"{text}\u202f{letter}" if letter else text
    return f"{text}\u202f{unit}" if unit else text


def duration(ms: float) -> str:
    """Return a length of time as the pages say it: ``12 s``, ``5 min``, ``3 h``; static/poller.js says it alike."""
    s = int(ms // 1000)
    if s < 100:
        return f"{s} s"
    return f"{s // 60} min" if s < 6000 else f"{s // 3600} h"


def in_words(series: str, line: Sparkline, unit: str = "") -> str:
    """Return in words what a sparkline of *series* shows."""
    if line.newest is None:
        return f"{series}: no value yet"
    bounds = f"between {number_text(line.low, unit)} and {number_text(line.high, unit)}"
    return f"{series}: newest {number_text(line.newest, unit)}, {bounds} in the last {duration(line.span_ms)}"
