"""A lock on a file, held for as long as the process lives, with the holder's process id in it."""

import fcntl
import os
from pathlib import Path
from typing import IO


class Held(Exception):
    """Another process holds the lock; ``holder`` is its process id, or "unknown"."""

    def __init__(self, holder: str) -> None:
        super().__init__(f"the process {holder} holds it")
        self.holder = holder


def lock(path: Path) -> IO[str]:
    """Lock *path*, which is made, and write this process's id to its first line.

    Returns:
        The file; closing it, or the end of the process, gives the lock up.

    Raises:
        Held: by another process, or by this one.
        OSError: the file cannot be written.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    file = path.open("a+", encoding="ascii")
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        file.seek(0)
        holder = file.readline().strip() or "unknown"
        file.close()
        raise Held(holder) from None
    file.seek(0)
    file.truncate()
    file.write(f"{os.getpid()}\n")
    file.flush()
    return file
