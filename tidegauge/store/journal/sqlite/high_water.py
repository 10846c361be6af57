"""The high-water mark: what a journal's file must hold, kept apart from it, so that a loss is noticed."""

import os
from pathlib import Path
from threading import Lock

import msgspec

STEP = 1_000_000  # sequence numbers that are reserved at once
SIZE = 256  # bytes; one sector, which is written whole


class Marked(msgspec.Struct):
    """What a mark says.

    Args:
        epoch: the journal's.
        ceiling: no sequence number above it was ever given.
        newest: the newest sequence number that was committed, as far as the machine kept running.
        counted: the tutorial's count.
        clean: the journal was closed, and every number up to ``newest`` lies in its file.
        ahead_ms: by how much the system's clock is ahead of that by which samples grow old; see age.py.
    """

    epoch: str = ""
    ceiling: int = 0
    newest: int = 0
    counted: int = 0
    clean: bool = False
    ahead_ms: int = 0


class Mark:
    """The file of the mark. A note survives the end of the process, a promise also that of the machine.

    Args:
        path: the file; its folder must be there.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._lock = Lock()  # guards the file, so it is held while 256 bytes are written
        self._file: int | None = None
        self.marked = Marked()

    def read(self) -> Marked:
        """Return what the file says; an empty mark if there is none that can be read."""
        try:
            return msgspec.json.decode(self._path.read_bytes(), type=Marked)
        except (FileNotFoundError, msgspec.MsgspecError):
            return Marked()

    def open(self) -> None:
        """Read the file, which is made if it is not there, and keep it open to write."""
        self.marked = self.read()
        self._file = os.open(self._path, os.O_RDWR | os.O_CREAT, 0o640)

    def note(self, *, newest: int = 0, counted: int = 0) -> None:
        """Write down the newest committed number, or the tutorial's count, without waiting for the disk."""
        with self._lock:
            self.marked.newest = max(self.marked.newest, newest)
            self.marked.counted = max(self.marked.counted, counted)
            self._write()

    def promise(self, **changes: object) -> None:
        """Change fields of the mark, and return when the disk has it.

        Raises:
            OSError: the disk does not take it.
        """
        with self._lock:
            before = self.marked
            self.marked = msgspec.structs.replace(before, **changes)
            try:
                self._write()
                os.fsync(self._descriptor)
            except OSError:
                self.marked = before
                raise

    def reserve(self, newest: int) -> None:
        """Make sure that numbers up to *newest* may be given; raises OSError if that cannot be written down."""
        if newest > self.marked.ceiling:
            self.promise(ceiling=newest + STEP)

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
        os.pwrite(self._descriptor, msgspec.json.encode(self.marked).ljust(SIZE), 0)
