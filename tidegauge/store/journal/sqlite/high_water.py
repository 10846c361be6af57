"""The high-water mark: what a journal's file must hold, kept apart from it, so that a loss is noticed."""

import os
from pathlib import Path
from threading import Lock

import msgspec

RESERVED = 1_000_000  # sequence numbers at once
SIZE = 256  # bytes; one sector, which is written whole


class Recorded(msgspec.Struct):
    """What a high-water mark says.

    Args:
        epoch: the journal's.
        ceiling: no sequence number above it was ever given.
        newest: the newest sequence number that was committed, as far as the machine kept running.
        counted: the tutorial's count as the first edition wrote it; left as it is for app/counter.py.
        clean: the journal was closed, and every number up to ``newest`` lies in its file.
        ahead_ms: by how much the system's clock is ahead of that by which samples grow old; see age.py.
    """

    epoch: str = ""
    ceiling: int = 0
    newest: int = 0
    counted: int = 0
    clean: bool = False
    ahead_ms: int = 0

    def what_is_lost(self, epoch: str, newest: int, *, was_there: bool) -> str:
        """Return what the file lacks, a sentence; "" if nothing.

        Args:
            epoch: of the file.
            newest: the newest sequence number in it.
            was_there: there was such a file.
        """
        if not self.epoch:
            return "The journal's mark is missing, so nobody can tell whether samples are." if was_there else ""
        if not was_there:
            return f"The journal's file is missing, and with it the samples up to {self.newest}."
        if epoch != self.epoch:
            return "The journal's file is not the one that was written last."
        if newest < self.newest:
            return f"The samples {newest + 1} to {self.newest} are missing from the journal."
        return ""


class HighWaterMark:
    """The mark in its file. A note survives the end of the process, a promise also that of the machine.

    Args:
        journal: the journal's file; its folder must be there.
    """

    def __init__(self, journal: Path) -> None:
        self._path = journal.with_name(f"{journal.name}-mark")
        self._lock = Lock()  # guards the file, so it is held while 256 bytes are written
        self._file: int | None = None
        self.recorded = Recorded()

    def read(self) -> Recorded:
        """Return what the file says; an empty record if there is none that can be read."""
        try:
            return msgspec.json.decode(self._path.read_bytes(), type=Recorded)
        except (FileNotFoundError, msgspec.MsgspecError):
            return Recorded()

    def open(self) -> None:
        """Read the file, which is made if it is not there, and keep it open to write."""
        self.recorded = self.read()
        self._file = os.open(self._path, os.O_RDWR | os.O_CREAT, 0o640)

    def note(self, newest: int) -> None:
        """Write down the newest committed number, without waiting for the disk."""
        with self._lock:
            self.recorded.newest = max(self.recorded.newest, newest)
            self._write()

    def promise(self, **changes: object) -> None:
        """Change fields of the mark, and return when the disk has it.

        Raises:
            OSError: the disk does not take it.
        """
        with self._lock:
            before = self.recorded
            self.recorded = msgspec.structs.replace(before, **changes)
            try:
                self._write()
                os.fsync(self._descriptor)
            except OSError:
                self.recorded = before
                raise

    def reserve(self, newest: int) -> None:
        """Make sure that numbers up to *newest* may be given; raises OSError if that cannot be written down."""
        if newest > self.recorded.ceiling:
            self.promise(ceiling=newest + RESERVED)

    def close(self) -> None:
        """Close the file."""
        if self._file is not None:
            os.close(self._file)
            self._file = None

    @property
    def _descriptor(self) -> int:
        if self._file is None:
            raise OSError("the mark is not open")
        return self._file

    def _write(self) -> None:
        os.pwrite(self._descriptor, msgspec.json.encode(self.recorded).ljust(SIZE), 0)
