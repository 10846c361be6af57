"""The clock by which samples grow old: it goes on at its pace where the system's clock is set."""

import time

from tidegauge.store.journal.sqlite.high_water import HighWaterMark
from tidegauge.store.times import now_ms

SET_MS = 60_000  # what a clock is corrected by is less, and is followed


class AgeClock:
    """Tells the time in ms since the Unix epoch, less what the system's clock was set ahead by.

    By the system's own, a clock that is a year ahead for a second would make all that is kept too old; and what
    arrives before a machine without a battery has heard of the time would be of 1970, and too old once it has. How far
    the two clocks are apart is in the mark, for the next process. Used by one thread at a time.
    """

    def __init__(self, mark: HighWaterMark) -> None:
        self._mark = mark
        self._started = now_ms() - _elapsed_ms()  # the system's clock when the machine was started

    def begin(self, newest_ms: int) -> None:
        """Go on from the time of the newest arrival, where the system's clock is behind it."""
        if (behind := newest_ms - self.now_ms()) > SET_MS:
            self._mark.promise(ahead_ms=self._mark.recorded.ahead_ms - behind)

    def now_ms(self) -> int:
        """Return the time; raises OSError where the clock was set, and that cannot be noted."""
        now = now_ms()
        started = now - _elapsed_ms()
        if abs(started - self._started) > SET_MS:
            self._mark.promise(ahead_ms=self._mark.recorded.ahead_ms + started - self._started)
        self._started = started
        return now - self._mark.recorded.ahead_ms


def _elapsed_ms() -> int:
    """Return the time since the machine's start, also while it slept."""
    return time.clock_gettime_ns(time.CLOCK_BOOTTIME) // 1_000_000
