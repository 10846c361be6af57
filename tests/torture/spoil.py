"""Eight ways to damage a journal's files, and which samples each may cost."""

import shutil
from bisect import bisect_left
from collections.abc import Callable, Iterable
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from tempfile import TemporaryDirectory
from typing import Any

import apsw

PAGE = 4096  # bytes
HEADER = 100  # bytes
FILE = "journal.sqlite"
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
    """What a sound journal has: the series that were pushed, its batches, and its pages."""

    samples: dict[Sample, int] = field(default_factory=dict)  # their numbers
    batches: list[tuple[int, int]] = field(default_factory=list)  # first and last ``seq``, in order
    pages: list[Page] = field(default_factory=list)

    def spoilt_by(self, pages: Iterable[Page]) -> set[int]:
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
    sound: Contents  # of ``stopped``


@dataclass(frozen=True)
class Spoilt:
    """What was done, and the numbers of the samples that it may cost. ``surely``: it must be named whatever it hit."""

    what: str
    costs: set[int]
    surely: bool = False


def _any_page(journals: Journals, random: Random) -> Page:
    pages = journals.sound.pages
    table = random.choice(["sample", "sample", *sorted({one.table for one in pages})])
    return random.choice([one for one in pages if one.table == table])


def _write(path: Path, at: int, data: bytes) -> None:
    with path.open("r+b") as file:
        file.seek(at)
        file.write(data)


def zeroed_page(folder: Path, journals: Journals, random: Random) -> Spoilt:
    page = _any_page(journals, random)
    _write(folder / FILE, (page.number - 1) * PAGE, bytes(PAGE))
    return Spoilt(f"page {page.number}, of {page.table}, zeroed", journals.sound.spoilt_by([page]))


def flipped_bits(folder: Path, journals: Journals, random: Random) -> Spoilt:
    page = _any_page(journals, random)
    start = (page.number - 1) * PAGE
    content = bytearray((folder / FILE).read_bytes()[start : start + PAGE])
    for _ in range(random.randint(1, 8)):
        content[random.randrange(PAGE)] ^= 1 << random.randrange(8)
    _write(folder / FILE, start, bytes(content))
    names = page.table in {"series", "sqlite_autoindex_series_1"}  # have no checksum: any may have become another
    costs = set(journals.sound.samples.values()) if names else journals.sound.spoilt_by([page])
    return Spoilt(f"bits of page {page.number}, of {page.table}, flipped", costs)


def torn_tail(folder: Path, journals: Journals, random: Random) -> Spoilt:
    size = (folder / FILE).stat().st_size
    left = size - random.choice([random.randint(1, PAGE), random.randint(1, 50 * PAGE)])
    with (folder / FILE).open("r+b") as file:
        file.truncate(left)
    gone = [page for page in journals.sound.pages if page.number * PAGE > left]
    return Spoilt(f"the last {size - left} bytes cut off", journals.sound.spoilt_by(gone))


def spoilt_header(folder: Path, journals: Journals, random: Random) -> Spoilt:
    at = random.randrange(HEADER)
    garbage = random.randbytes(random.randint(1, HEADER - at))
    _write(folder / FILE, at, garbage)
    return Spoilt(f"{len(garbage)} bytes of the header, from {at}, spoilt", set(journals.sound.samples.values()))


def older_copy(folder: Path, journals: Journals, _: Random) -> Spoilt:
    (folder / FILE).write_bytes((journals.older / FILE).read_bytes())
    return Spoilt("the file exchanged for an older copy", _missing(folder, journals), surely=True)


def log_cut(folder: Path, journals: Journals, random: Random) -> Spoilt:
    log = folder / f"{FILE}-wal"
    size = log.stat().st_size
    left = random.choice([0, random.randrange(size), None])
    if left is None:
        log.unlink()
    else:
        with log.open("r+b") as file:
            file.truncate(left)
    what = "deleted" if left is None else f"cut to {left} of {size} bytes"
    return Spoilt(f"the log {what}", _missing(folder, journals))


def mark_spoilt(folder: Path, _: Journals, random: Random) -> Spoilt:
    mark = folder / f"{FILE}-mark"
    done = random.choice(["deleted", "emptied", "overwritten"])
    if done == "deleted":
        mark.unlink()
    else:
        mark.write_bytes(b"" if done == "emptied" else random.randbytes(256))
    return Spoilt(f"the mark {done}", set(), surely=True)


def stray_write(folder: Path, _: Journals, random: Random) -> Spoilt:
    # Immutable: no -shm is made beside it, which would be root's.
    url, flags = f"file:{folder / FILE}?immutable=1", apsw.SQLITE_OPEN_READONLY | apsw.SQLITE_OPEN_URI
    with closing(apsw.Connection(url, flags=flags)) as db:
        rows: list[Any] = db.execute("SELECT series, seqs FROM slice").fetchall()
    part: bytes = random.choice(random.choice(rows))[:64]
    at = (folder / FILE).read_bytes().index(part) + random.randrange(60)
    before = (folder / FILE).read_bytes()[at]
    _write(folder / FILE, at, bytes([before ^ random.randint(1, 255)]))
    return Spoilt(f"a byte of the index changed, at {at}", set(), surely=True)


def _missing(folder: Path, journals: Journals) -> set[int]:
    """Return the numbers that SQLite itself no longer finds."""
    left = contents(folder).samples
    return {seq for sample, seq in contents(journals.killed).samples.items() if sample not in left}


WAYS: list[Callable[[Path, Journals, Random], Spoilt]] = [
    zeroed_page,
    stray_write,
    log_cut,
    mark_spoilt,
    flipped_bits,
    torn_tail,
    spoilt_header,
    older_copy,
]
