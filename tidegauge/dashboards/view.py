"""What a figure shows: a series or a pattern of names, its unit, and the bands in which its values mean trouble."""

from dataclasses import dataclass
from math import isnan


@dataclass(frozen=True)
class View:
    """A series, or a pattern of names, as a dashboard draws it.

    ``warn`` and ``bad`` are the values from which on a state is a warning, or bad; with bad < warn, up to which.
    ``rate_s``: what is drawn is how much it has grown in so many seconds; None: the values themselves.
    """

    series: str
    unit: str = ""
    description: str = ""
    warn: float | None = None
    bad: float | None = None
    rate_s: float | None = None

    def band(self, value: float | None) -> str:
        """Return which band *value* is in: "bad", "warn", or "" for neither, and for a gap."""
        if value is None or isnan(value):
            return ""
        falls = self.warn is not None and self.bad is not None and self.bad < self.warn
        for name, edge in (("bad", self.bad), ("warn", self.warn)):
            if edge is not None and (value <= edge if falls else value >= edge):
                return name
        return ""
