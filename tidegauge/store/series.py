"""Samples: what can be one, and the window, the newest N of one series in memory."""

from array import array
from bisect import bisect_right
from collections.abc import Sequence
from decimal import Decimal
from math import isfinite, nan
from numbers import Real
from typing import NamedTuple

import numpy as np

from tidegauge.errors import BadSample, CursorAhead
from tidegauge.store.journal import Reading

MAX_NAME = 500  # characters
NUMBER = (float, Real, Decimal)  # float first: it costs a tenth of the question whether a class counts as a Real


def check_name(name: str) -> str:
    """Return *name* if it can name a series, else raise BadSample."""
    if not 0 < len(name) <= MAX_NAME or not name.isprintable() or name != name.strip():
        raise BadSample(
            f"{name[:80]!r} cannot name a series.",
            f"Use 1 to {MAX_NAME} printable characters, such as cpu.usage{{host=web1}}.",
        )
    return name


def check_value(name: str, value: object) -> float | None:
    """Return *value* as a finite float, or None for a gap, else raise BadSample. bool counts as 0 or 1."""
    if value is None:
        return None
    try:
        number = float(value) if isinstance(value, NUMBER) else None
    except OverflowError:
        number = None
    if number is None or not isfinite(number):
        raise BadSample(
            f"{name} was given {value!r:.80}, which is no sample.", "Give a finite number, or None for a gap."
        )
    return number


def check_reading(name: str, time: int | None, value: object) -> Reading:
    """Return a reading that a hub takes, *value* as ``check_value`` has it, else raise BadSample."""
    return check_name(name), time, check_value(name, value)


class Columns(NamedTuple):
    """Samples of one series as three columns of equal length, in the order of ``seq``.

    ``seq``: sequence numbers, rising strictly; ``t``: ms since the Unix epoch, in any order;
    ``v``: finite, or NaN: a gap.
    """

    seq: Sequence[int]
    t: Sequence[int]
    v: Sequence[float]

    def by_time(self) -> "Columns":
        """Return the same samples in the order of ``t``; those of equal times keep their order."""
        times = np.asarray(self.t, np.int64)
        if (times[:-1] <= times[1:]).all():
            return self
        order = np.argsort(times, kind="stable").tolist()
        return Columns([self.seq[i] for i in order], [self.t[i] for i in order], [self.v[i] for i in order])


class Window:
    """The newest samples of one series, by ``seq``. Has no lock: the hub guards it.

    Three arrays of 8 bytes a number, so that a sample costs 24 to 30 bytes where Python objects would
    cost over 100. They are cut by an eighth at a time, so appending costs no more than a copy of a few samples.

    Args:
        size: the number of samples kept, >= 1.
    """

    __slots__ = ("_dropped", "_longest", "_seq", "_t", "_v", "latest", "size")

    def __init__(self, size: int) -> None:
        self.size = size
        self._longest = size + max(1, size // 8)
        self._seq = array("q")
        self._t = array("q")
        self._v = array("d")
        self._dropped = 0  # the seq of the newest sample that was cut off
        self.latest = -(2**63)  # the highest time

    def append(self, seq: int, time: int, value: float | None) -> None:
        """Add a sample. *seq* must be above every one before; *time* need not be."""
        self._seq.append(seq)
        self._t.append(time)
        self._v.append(nan if value is None else value)
        if time > self.latest:
            self.latest = time
        if len(self._seq) > self._longest:
            excess = len(self._seq) - self.size
            self._dropped = self._seq[excess - 1]
            del self._seq[:excess], self._t[:excess], self._v[:excess]

    def fill(self, seq: "array[int]", t: "array[int]", v: "array[float]", evicted: int) -> None:
        """Take columns, at most ``size`` long, as the whole content; *evicted* is the ``seq`` before them, or 0."""
        self._seq, self._t, self._v, self._dropped = seq, t, v, evicted
        self.latest = max(t, default=self.latest)

    def has(self, time: int, value: float | None) -> bool:
        """Tell whether a sample of exactly this time and value is here."""
        values = np.frombuffer(self._v)[np.frombuffer(self._t, np.int64) == time]
        return bool((np.isnan(values) if value is None else values == value).any())

    @property
    def newest(self) -> int:
        """The ``seq`` of the newest sample, 0 if there is none."""
        return self._seq[-1] if self._seq else 0

    @property
    def newest_time(self) -> int | None:
        """The time of the newest sample by ``seq``, ms since the Unix epoch; None if there is none."""
        return self._t[-1] if self._t else None

    @property
    def evicted(self) -> int:
        """The ``seq`` of the newest sample that has left the window, 0 if none has."""
        excess = len(self._seq) - self.size
        return self._seq[excess - 1] if excess > 0 else self._dropped

    def since(self, cursor: int) -> Columns:
        """Return copies of the samples after *cursor*, oldest first.

        A cursor is a sequence number, not an index and not a time: it stays true
        while old samples fall out of the window, and two samples may share a time.

        Args:
            cursor: the last ``seq`` the reader has, 0 <= cursor < 2**53; 0 asks for the whole window.

        Returns:
            Columns of equal length n, 0 <= n <= size.
        """
        start = max(bisect_right(self._seq, cursor), len(self._seq) - self.size)
        return Columns(self._seq[start:], self._t[start:], self._v[start:])


def check_cursor(cursor: int, newest: int) -> None:
    """Raise CursorAhead if *cursor* > *newest*: the reader then comes from another epoch."""
    if cursor > newest:
        raise CursorAhead(cursor, newest)
