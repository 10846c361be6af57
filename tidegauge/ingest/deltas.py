"""Deltas, which some exporters send: how much a count has grown since the last push."""

from collections.abc import Callable
from dataclasses import dataclass
from threading import Lock
from typing import Any

from tidegauge.store.journal import Reading
from tidegauge.store.series import check_value


@dataclass(frozen=True)
class Point:
    """A reading, or with ``is_delta`` what is to be added to the series' last value."""

    series: str
    time: int
    value: float | None
    is_delta: bool
    unit: str = ""


class DeltaSums:
    """Adds deltas up: a live plot shows a count that only grows, whatever the exporter sends."""

    def __init__(self) -> None:
        self._lock = Lock()  # held for a push with deltas: they build on each other
        self._last: dict[str, tuple[int, float]] = {}

    def append(
        self,
        points: list[Point],
        last_value: Callable[[str], tuple[int, float] | None],
        append: Callable[[list[Reading]], Any],
    ) -> Any:
        """Call *append* with the readings of *points*, deltas added to the last value; return its result.

        A delta that is not younger than the last one of its series is a repeat, and left out.

        Raises:
            BadSample: a sum is too large for a sample; then *append* is not called.
        """
        if not any(point.is_delta for point in points):
            return append([(point.series, point.time, point.value) for point in points])
        with self._lock:
            last = dict(self._last)
            readings: list[Reading] = []
            for point in points:
                value = point.value
                if point.is_delta and value is not None:
                    time, total = last.get(point.series) or last_value(point.series) or (-1, 0.0)
                    if point.time <= time:
                        continue
                    total += value
                    value = check_value(point.series, total)
                    last[point.series] = (point.time, total)
                readings.append((point.series, point.time, value))
            result = append(readings)
            self._last = last  # only now: what was not kept comes again
            return result
