"""What the windows show at one moment."""

from dataclasses import dataclass

from tidegauge.store.series import Columns


@dataclass(frozen=True)
class SeriesSnapshot:
    """One series at one moment: its samples after a cursor, and what has left its window."""

    name: str
    columns: Columns
    evicted: int
    unit: str = ""


@dataclass(frozen=True)
class Snapshot:
    """Several series at the same moment; ``to`` is the newest sequence number among them, 0 without any."""

    to: int
    series: tuple[SeriesSnapshot, ...]

    @property
    def count(self) -> int:
        """The number of samples."""
        return sum(len(one.columns.seq) for one in self.series)

    @property
    def evicted(self) -> int:
        """The sequence number of the newest sample that has left any of the windows."""
        return max((one.evicted for one in self.series), default=0)


@dataclass(frozen=True)
class NewestSample:
    """The newest sample of a series; ``time`` in ms since the Unix epoch, None without a sample."""

    name: str
    seq: int
    time: int | None
    value: float | None
