"""The journal's file among its neighbours: ``-wal`` and ``-shm`` beside it, and what was set aside."""

import shutil
import time
from contextlib import suppress
from pathlib import Path
from typing import IO

from tidegauge.errors import JournalUnusable
from tidegauge.store.file_lock import Held, lock

SUFFIXES = ("", "-wal", "-shm")


def take(path: Path) -> IO[str]:
    """Keep every other process from writing to *path*, until the returned file is closed.

    Raises:
        JournalUnusable: a process writes to it.
        OSError: the folder cannot be written.
    """
    try:
        return lock(path.with_name(f"{path.name}-lock"))
    except Held as error:
        raise JournalUnusable(str(path), f"the process {error.holder} already writes to it") from None


def set_aside(path: Path, why: str) -> Path:
    """Rename the file, with its neighbours, after *why* and the time; return its new name."""
    aside = path.with_name(f"{path.name}.{why}-{time.strftime('%Y%m%dT%H%M%SZ', time.gmtime())}")
    for suffix in SUFFIXES:
        with suppress(FileNotFoundError):
            path.with_name(path.name + suffix).rename(aside.with_name(aside.name + suffix))
    return aside


def replace(path: Path, source: Path) -> None:
    """Put a copy of *source* in the place of the journal *path*, which is set aside.

    Raises:
        JournalUnusable: a process writes to it.
    """
    with take(path):
        set_aside(path, "replaced")
        shutil.copyfile(source, path)


def size(path: Path) -> int:
    """Return the bytes of what is kept, in the file and in the log before it."""
    files = [path.with_name(path.name + suffix) for suffix in ("", "-wal")]
    return sum(file.stat().st_size for file in files if file.exists())
