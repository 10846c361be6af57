"""A disk that notes what is done to a journal's files, in order, and can say what a power cut leaves of them.

What is assumed of a file system, and no more:

* A file has what was written before its last sync began. Of each later write or cut to size nobody knows whether it
  took place; of a write that did, each sector may be the old one or the new one.
* A name that was given to a new file or taken away is so for certain after a sync of the folder only. SQLite syncs it
  with the first sync of each log or rollback journal that it opens (UNIXFILE_DIRSYNC in its os_unix.c, seen in strace).
* ``-shm`` is lost; ``-lock`` is of no account.
"""

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from enum import Enum, auto
from pathlib import Path
from random import Random
from typing import Any, NamedTuple

import apsw
import pytest

SECTOR = 512  # bytes; written whole
BASE = "unix"  # SQLite's own way to the disk


class Kind(Enum):
    LINK = auto()  # a new file gets a name
    UNLINK = auto()
    SYNC_FOLDER = auto()
    WRITE = auto()
    TRUNCATE = auto()  # to the size ``at``
    SYNC = auto()  # of what came before the step ``at``
    NOTE = auto()  # of the scenario: what was acknowledged


class Step(NamedTuple):
    """What was done. Files go by number: a name may be given to one after the other."""

    kind: Kind
    file: int = 0
    name: str = ""
    at: int = 0
    data: bytes = b""
    note: object = None


class Disk:
    """The steps so far; *files* lie on it already, by name."""

    def __init__(self, files: dict[str, bytes]) -> None:
        self.steps: list[Step] = []
        self._numbers: dict[str, int] = {}
        self._count = 0
        for name, data in files.items():
            self.add(Kind.WRITE, self.link(name), data=data)
            self.sync(self._numbers[name], len(self.steps))
        self.add(Kind.SYNC_FOLDER)

    def add(
        self, kind: Kind, file: int = 0, name: str = "", at: int = 0, data: bytes = b"", note: object = None
    ) -> None:
        self.steps.append(Step(kind, file, name, at, data, note))

    def link(self, name: str) -> int:
        """Return the number of the file of that name, a new one if there is none."""
        if name not in self._numbers:
            self._count += 1
            self._numbers[name] = self._count
            self.add(Kind.LINK, self._count, name)
        return self._numbers[name]

    def unlink(self, name: str) -> None:
        if self._numbers.pop(name, None):
            self.add(Kind.UNLINK, name=name)

    def sync(self, file: int, began: int) -> None:
        """Note a sync that has returned; *began*: how many steps there were before it."""
        self.add(Kind.SYNC, file, at=began)


def left(steps: Sequence[Step], random: Random) -> dict[str, bytes]:
    """Return the content of the files, by name, after a cut of the power behind these steps."""
    likely = random.choice([0.0, 0.1, 0.5, 0.9, 1.0])  # that what is not synced took place
    synced = {step.file: step.at for step in steps if step.kind is Kind.SYNC}
    folder = max((number for number, step in enumerate(steps) if step.kind is Kind.SYNC_FOLDER), default=0)
    names: dict[str, int] = {}
    files: dict[int, bytearray] = {}
    for number, (kind, file, name, at, data, _) in enumerate(steps):
        is_name = kind in {Kind.LINK, Kind.UNLINK}
        certain = number < (folder if is_name else synced.get(file, 0))
        if not certain and random.random() >= likely:
            continue
        if kind is Kind.LINK:
            names[name] = file
        elif kind is Kind.UNLINK:
            names.pop(name, None)
        elif kind is Kind.TRUNCATE:
            _resize(files.setdefault(file, bytearray()), at)
        elif kind is Kind.WRITE:
            torn = not certain and random.random() < 0.3
            _write(files.setdefault(file, bytearray()), at, data, random if torn else None)
    return {name: bytes(files.get(file, b"")) for name, file in names.items()}


def _resize(content: bytearray, size: int) -> None:
    del content[size:]
    content.extend(bytes(size - len(content)))


def _write(content: bytearray, at: int, data: bytes, torn: Random | None) -> None:
    """Write, or where it is *torn* only some of the sectors."""
    start = at
    while start < at + len(data):
        end = min(at + len(data), start - start % SECTOR + SECTOR) if torn else at + len(data)
        if not torn or torn.random() < 0.5:
            _resize(content, max(len(content), end))
            content[start:end] = data[start - at : end - at]
        start = end


class _File(apsw.VFSFile):
    def __init__(self, name: str | apsw.URIFilename | None, flags: list[int], disk: Disk) -> None:
        self._name = Path(name.filename() if isinstance(name, apsw.URIFilename) else name or "").name
        self._disk = disk
        self._syncs_folder = bool(flags[0] & (apsw.SQLITE_OPEN_WAL | apsw.SQLITE_OPEN_MAIN_JOURNAL))
        super().__init__(BASE, name, flags)
        self._file = disk.link(self._name)

    def xWrite(self, data: Any, offset: int) -> None:  # noqa: N802 - SQLite's names
        super().xWrite(data, offset)
        self._disk.add(Kind.WRITE, self._file, at=offset, data=bytes(data))

    def xTruncate(self, newsize: int) -> None:  # noqa: N802
        super().xTruncate(newsize)
        self._disk.add(Kind.TRUNCATE, self._file, at=newsize)

    def xSync(self, flags: int) -> None:  # noqa: N802
        began = len(self._disk.steps)
        super().xSync(flags)
        self._disk.sync(self._file, began)
        if self._syncs_folder:
            self._disk.add(Kind.SYNC_FOLDER)
            self._syncs_folder = False


class _Vfs(apsw.VFS):
    def __init__(self, disk: Disk) -> None:
        self._disk = disk
        super().__init__("noted", BASE, makedefault=True)

    def xOpen(self, name: str | apsw.URIFilename | None, flags: list[int]) -> apsw.VFSFile:  # noqa: N802
        return _File(name, flags, self._disk)

    def xDelete(self, filename: str, syncdir: bool) -> None:  # noqa: N802
        super().xDelete(filename, syncdir)
        self._disk.unlink(Path(filename).name)
        if syncdir:
            self._disk.add(Kind.SYNC_FOLDER)


class _Calls:
    """What high_water.py calls of ``os``, noted."""

    O_RDWR, O_CREAT = os.O_RDWR, os.O_CREAT
    close = staticmethod(os.close)

    def __init__(self, disk: Disk) -> None:
        self._disk = disk
        self._files: dict[int, int] = {}

    def open(self, path: Path, flags: int, mode: int) -> int:
        descriptor = os.open(path, flags, mode)
        self._files[descriptor] = self._disk.link(path.name)
        return descriptor

    def pwrite(self, descriptor: int, data: bytes, at: int) -> None:
        os.pwrite(descriptor, data, at)
        self._disk.add(Kind.WRITE, self._files[descriptor], at=at, data=data)

    def fsync(self, descriptor: int) -> None:
        began = len(self._disk.steps)
        os.fsync(descriptor)
        self._disk.sync(self._files[descriptor], began)


@contextmanager
def noted(files: dict[str, bytes]) -> Iterator[Disk]:
    """Note what is done to the files of a journal, by SQLite and by high_water.py; *files* are there already."""
    disk = Disk(files)
    vfs = _Vfs(disk)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("tidegauge.store.journal.sqlite.high_water.os", _Calls(disk))
        try:
            yield disk
        finally:
            vfs.unregister()
