"""The tutorial's count: a number in this process, guarded by a lock, and kept in a file."""

from pathlib import Path
from threading import Lock

from tidegauge.settings import Settings


class Counter:
    """A count that any number of threads may raise; every number is handed out once.

    It goes on after a restart: its file lies beside the journal. After a power cut the last few may be missing, as the
    disk is not waited for. Without a journal nothing is kept.
    """

    def __init__(self, settings: Settings) -> None:
        self._file = None if settings.journal == "memory" else Path(settings.file).with_name("count")
        self._lock = Lock()
        self._value: int | None = None  # until it is asked for

    def next(self) -> int:
        """Raise the count by one and return it; the first is 1."""
        with self._lock:
            if self._value is None:
                self._value = self._read()
            self._value += 1
            self._write(self._value)
            return self._value

    def _read(self) -> int:
        try:
            return int(self._file.read_text("ascii")) if self._file else 0
        except (OSError, ValueError):
            return 0

    def _write(self, value: int) -> None:
        if self._file:
            self._file.write_text(str(value), "ascii")
