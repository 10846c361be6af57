"""The tutorial's count: a number in this process, guarded by a lock, and kept in a file."""

import json
import os
from contextlib import suppress
from pathlib import Path
from threading import Lock

from tidegauge.settings import Settings


class Counter:
    """A count that any number of threads may raise; every number is handed out once.

    It goes on after a restart: its file lies beside the journal. After a power cut the last few may be missing, as the
    disk is not waited for. Where it is not there yet the count goes on from that of the first edition, which lay in the
    journal's high-water mark. Without a journal nothing is kept.
    """

    def __init__(self, settings: Settings) -> None:
        journal = Path(settings.file)
        self._file = None if settings.journal == "memory" else journal.with_name("count")
        self._first_edition = journal.with_name(f"{journal.name}-mark")
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
        if not self._file:
            return 0
        try:
            return int(self._file.read_text("ascii"))
        except (OSError, ValueError):
            pass
        try:
            return int(json.loads(self._first_edition.read_bytes())["counted"])
        except (OSError, ValueError, KeyError, TypeError):
            return 0

    def _write(self, value: int) -> None:
        if not self._file:
            return
        with suppress(OSError):  # a full disk: the count goes on in memory
            file = os.open(self._file, os.O_WRONLY | os.O_CREAT, 0o640)
            os.pwrite(file, b"%020d" % value, 0)  # of one length: at no moment is the file empty
            os.close(file)
