"""An intact journal to be damaged: how it is made, and what is in it."""

import os
import shutil
import signal
import subprocess
from bisect import bisect_left
from collections.abc import Iterable
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import apsw
import psutil
from served import Served

from torture.load import fill

FILE = "journal.sqlite"
SERIES = 100
BATCH = 500  # samples
Sample = tuple[str, int, float]  # series, ms since the Unix epoch, value


@dataclass(frozen=True)
class Page:
    """A page, and the range of ``seq`` that cannot be told without it: its own samples or batches, and those below."""

    number: int  # from 1
    table: str
    first: int = 0
    last: int = -1


@dataclass
class Contents:
    """What an intact journal has: the series that were pushed, its batches, and its pages."""

    samples: dict[Sample, int] = field(default_factory=dict)  # their numbers
    batches: list[tuple[int, int]] = field(default_factory=list)  # first and last ``seq``, in order
    pages: list[Page] = field(default_factory=list)

    def samples_on(self, pages: Iterable[Page]) -> set[int]:
        """Return the numbers of all samples in batches that these pages have a part of."""
        found: set[int] = set()
        lasts = [last for _, last in self.batches]
        for page in pages:
            if page.table == "sqlite_schema":  # without it no page is known for what it is
                return set(self.samples.values())
            for first, last in self.batches[bisect_left(lasts, page.first) :]:
                if first > page.last:
                    break
                found.update(range(first, last + 1))
        return found


def contents(folder: Path) -> Contents:
    """Read the journal in *folder*, or a copy of it: a look changes what lies beside a log."""
    with TemporaryDirectory() as name:
        for file in folder.glob(f"{FILE}*"):
            shutil.copy(file, name)
        with closing(apsw.Connection(f"{name}/{FILE}")) as db:
            query = "SELECT name, time, value, seq FROM sample JOIN series ON id = series WHERE name LIKE 'filled.%'"
            samples = {(series, time, value): seq for series, time, value, seq in db.execute(query)}
            batches = list(db.execute("SELECT first_seq, last_seq FROM batch ORDER BY last_seq"))
            keys = {
                "sample": [(seq, seq) for (seq,) in db.execute("SELECT seq FROM sample ORDER BY seq")],
                "batch": batches,
            }
            query = "SELECT pageno, name, path, pagetype, ncell FROM dbstat ORDER BY name, path"
            pages: list[Any] = db.execute(query).fetchall()
            return Contents(samples, batches, _pages(pages, keys))


def _pages(rows: list[tuple[int, str, str, str, int]], keys: dict[str, list[tuple[int, int]]]) -> list[Page]:
    spans: list[tuple[str, str, int, int]] = []  # of the leaves: table, path, first, last
    at = dict.fromkeys(keys, 0)
    for _, table, path, kind, cells in rows:
        if table in keys and kind == "leaf":
            own = keys[table][at[table] : at[table] + cells]
            at[table] += cells
            spans.append((table, path, own[0][0], own[-1][1]))
    pages = []
    for number, table, path, _, _ in rows:
        below = [(first, last) for of, leaf, first, last in spans if of == table and leaf.startswith(path)]
        pages.append(Page(number, table, below[0][0], below[-1][1]) if below else Page(number, table))
    return pages


@dataclass(frozen=True)
class Journals:
    """Folders to damage a copy of: after a stop, after kill -9 with a log beside the file, and of an earlier time."""

    stopped: Path
    killed: Path
    older: Path
    intact: Contents  # of ``stopped``


def make(server: Served, folder: Path, samples: int) -> Journals:
    """Fill a journal; keep it from the middle of that, from its end, and with more that is in the log alone."""
    copies = Journals(folder / "stopped", folder / "killed", folder / "older", Contents())
    fill(server, samples // 2, batch=BATCH)
    server.command("stop")
    put(server.journal.parent, copies.older)
    server.command("start")
    fill(server, samples, samples // 2, BATCH)
    server.command("stop")
    put(server.journal.parent, copies.stopped)
    server.command("start")
    fill(server, samples + samples // 20, samples, BATCH)
    _kill(server)
    put(server.journal.parent, copies.killed)
    return Journals(copies.stopped, copies.killed, copies.older, contents(copies.stopped))


def _kill(server: Served) -> None:
    """End Apache and its processes as the end of the machine would."""
    apache = psutil.Process(int((server.run / "apache.pid").read_text()))
    processes = [apache, *apache.children(recursive=True)]
    for one in processes:
        os.kill(one.pid, signal.SIGKILL)
    assert not psutil.wait_procs(processes, timeout=10)[1]


def put(source: Path, target: Path) -> None:
    """Make *target* a copy of *source*, owners included."""
    target.mkdir(exist_ok=True)
    for file in target.iterdir():
        file.unlink()
    subprocess.run(["cp", "-a", f"{source}/.", target], check=True)
