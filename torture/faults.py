"""What can become of the journal's disk, for the time of a block; real ones, of a file system of its own."""

import errno
import os
import signal
import subprocess
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from served import Served

from torture.harness import wait_until

DISK_MB = 256
PART = bytes(2**16)
Hold = Callable[[], None]  # keeps a fault up


@dataclass(frozen=True)
class Fault:
    """What is done to the disk for the time of a block, and a *word* (a pattern) of the reason that has to be given."""

    make: Callable[[Served, Path], AbstractContextManager[Hold]]
    word: str
    kills: bool = False  # the Python process


@contextmanager
def disk() -> Iterator[Path]:
    """A small file system of its own."""
    with TemporaryDirectory() as folder:
        image, mounted = Path(folder, "image"), Path(folder, "disk")
        Path(folder).chmod(0o755)
        mounted.mkdir()
        with image.open("wb") as file:
            file.truncate(DISK_MB * 2**20)
        _command("mkfs.ext4", "-q", str(image))
        _command("mount", "-o", "loop", str(image), str(mounted))
        try:
            mounted.chmod(0o777)  # the server's user may not be there yet
            yield mounted
        finally:
            _command("umount", str(mounted))


def _command(*command: str) -> None:
    """Run *command*, once more while it fails: files of the journal come and go, and are in use for a moment."""
    said = ""

    def is_done() -> bool:
        nonlocal said
        done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        said = done.stdout
        return done.returncode == 0

    assert wait_until(is_done, 10) < 10, f"{' '.join(command)}: {said}"


@contextmanager
def _full(_server: Served, folder: Path) -> Iterator[Hold]:
    filler = folder / "filler"

    def fill() -> None:  # again and again: what SQLite gives up of its log is room
        with filler.open("ab", buffering=0) as file:
            try:
                while True:
                    file.write(PART)
            except OSError as error:
                if error.errno != errno.ENOSPC:
                    raise

    try:
        yield fill
    finally:
        filler.unlink()


@contextmanager
def _immutable(_server: Served, folder: Path) -> Iterator[Hold]:
    """All but ``-shm``. Open files refuse a write at once; a file system is not made read-only under such files."""

    def protect() -> None:
        _command("chattr", "+i", str(folder))  # first: nothing comes and goes any more
        _command("chattr", "+i", *(str(file) for file in folder.iterdir() if file.suffix != ".sqlite-shm"))

    try:
        yield protect
    finally:
        _command("chattr", "-R", "-i", str(folder))


@contextmanager
def _all_immutable(_server: Served, folder: Path) -> Iterator[Hold]:
    """SQLite maps ``-shm`` into memory: a write to it has no answer but SIGBUS, which ends the process."""
    try:
        yield lambda: _command("chattr", "-R", "+i", str(folder))
    finally:
        _command("chattr", "-R", "-i", str(folder))


@contextmanager
def _read_only(server: Served, folder: Path) -> Iterator[Hold]:
    """Between two Python processes, as only then nobody writes to it; the second one finds it so."""
    apache, pid = int((server.run / "apache.pid").read_text()), server.daemon_pid
    os.kill(apache, signal.SIGSTOP)  # its children go on serving, and no Python process is started
    try:
        os.kill(pid, signal.SIGKILL)
        _command("mount", "-o", "remount,ro", str(folder))
    finally:
        os.kill(apache, signal.SIGCONT)
    try:
        yield lambda: None
    finally:
        _command("mount", "-o", "remount,rw", str(folder))


@contextmanager
def _unsynced(server: Served, _folder: Path) -> Iterator[Hold]:
    calls = "fsync,fdatasync"
    inject = ["-e", f"trace={calls}", "-e", f"inject={calls}:error=EIO"]
    strace = subprocess.Popen(["strace", "-f", "-qq", "-o", "/dev/null", "-p", str(server.daemon_pid), *inject])
    try:
        yield lambda: None
    finally:
        strace.terminate()  # it lets go of the process
        strace.wait()


FAULTS = {
    "full": Fault(_full, "full"),
    "unsynced": Fault(_unsynced, "I/O error"),
    "read-only": Fault(_read_only, "Read-only", kills=True),
    "immutable": Fault(_immutable, "readonly"),
    "immutable with -shm": Fault(_all_immutable, "not permitted|readonly", kills=True),
}
