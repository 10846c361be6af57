"""Nine ways to damage a journal's files, and which samples each may cost."""

from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import Any

import apsw

from torture.intact import FILE, Journals, Page, contents

PAGE = 4096  # bytes
HEADER = 100  # bytes
VERSION = 63  # the version's last byte, which would make the file a newer release's: that is refused, not damaged


@dataclass(frozen=True)
class Corruption:
    """What was done, and the numbers of the samples that it may cost. ``surely``: it must be named whatever it hit."""

    what: str
    costs: set[int]
    surely: bool = False


def _any_page(journals: Journals, random: Random) -> Page:
    pages = journals.intact.pages
    table = random.choice(["sample", "sample", *sorted({one.table for one in pages})])
    return random.choice([one for one in pages if one.table == table])


def _write(path: Path, at: int, data: bytes) -> None:
    with path.open("r+b") as file:
        file.seek(at)
        file.write(data)


def zeroed_page(folder: Path, journals: Journals, random: Random) -> Corruption:
    page = _any_page(journals, random)
    _write(folder / FILE, (page.number - 1) * PAGE, bytes(PAGE))
    return Corruption(f"page {page.number}, of {page.table}, zeroed", journals.intact.samples_on([page]))


def flipped_bits(folder: Path, journals: Journals, random: Random) -> Corruption:
    page = _any_page(journals, random)
    start = (page.number - 1) * PAGE
    content = bytearray((folder / FILE).read_bytes()[start : start + PAGE])
    for _ in range(random.randint(1, 8)):
        content[random.randrange(PAGE)] ^= 1 << random.randrange(8)
    _write(folder / FILE, start, bytes(content))
    names = page.table in {"series", "sqlite_autoindex_series_1"}  # have no checksum: any may have become another
    costs = set(journals.intact.samples.values()) if names else journals.intact.samples_on([page])
    return Corruption(f"bits of page {page.number}, of {page.table}, flipped", costs)


def torn_tail(folder: Path, journals: Journals, random: Random) -> Corruption:
    size = (folder / FILE).stat().st_size
    left = size - random.choice([random.randint(1, PAGE), random.randint(1, 50 * PAGE)])
    with (folder / FILE).open("r+b") as file:
        file.truncate(left)
    gone = [page for page in journals.intact.pages if page.number * PAGE > left]
    return Corruption(f"the last {size - left} bytes cut off", journals.intact.samples_on(gone))


def corrupt_header(folder: Path, journals: Journals, random: Random) -> Corruption:
    at = random.choice([at for at in range(HEADER) if at != VERSION])
    garbage = random.randbytes(random.randint(1, HEADER - at))
    _write(folder / FILE, at, garbage)
    return Corruption(
        f"{len(garbage)} bytes of the header, from {at}, overwritten", set(journals.intact.samples.values())
    )


def older_copy(folder: Path, journals: Journals, _: Random) -> Corruption:
    (folder / FILE).write_bytes((journals.older / FILE).read_bytes())
    return Corruption("the file exchanged for an older copy", _missing(folder, journals), surely=True)


def log_cut(folder: Path, journals: Journals, random: Random) -> Corruption:
    log = folder / f"{FILE}-wal"
    size = log.stat().st_size
    left = random.choice([0, random.randrange(size), None])
    if left is None:
        log.unlink()
    else:
        with log.open("r+b") as file:
            file.truncate(left)
    what = "deleted" if left is None else f"cut to {left} of {size} bytes"
    return Corruption(f"the log {what}", _missing(folder, journals))


def broken_mark(folder: Path, _: Journals, random: Random) -> Corruption:
    mark = folder / f"{FILE}-mark"
    done = random.choice(["deleted", "emptied", "overwritten"])
    if done == "deleted":
        mark.unlink()
    else:
        mark.write_bytes(b"" if done == "emptied" else random.randbytes(256))
    return Corruption(f"the mark {done}", set(), surely=True)


def stray_write(folder: Path, _: Journals, random: Random) -> Corruption:
    # Immutable: no -shm is made beside it, which would be root's.
    url, flags = f"file:{folder / FILE}?immutable=1", apsw.SQLITE_OPEN_READONLY | apsw.SQLITE_OPEN_URI
    with closing(apsw.Connection(url, flags=flags)) as db:
        rows: list[Any] = db.execute("SELECT series, seqs FROM slice").fetchall()
    part: bytes = random.choice(random.choice(rows))[:64]
    at = (folder / FILE).read_bytes().index(part) + random.randrange(60)
    before = (folder / FILE).read_bytes()[at]
    _write(folder / FILE, at, bytes([before ^ random.randint(1, 255)]))
    return Corruption(f"a byte of the index changed, at {at}", set(), surely=True)


def overwritten_batch(folder: Path, journals: Journals, random: Random) -> Corruption:
    first, last = random.choice([*journals.intact.batches, *journals.intact.batches[-2:]])
    column = random.choice(["at", "first_seq", "checksum"])
    value = random.choice([None, "soon", 1.5, 0, -1, last + 1, random.randrange(2**52), 2**62])
    write_batch(folder / FILE, last, column, value)
    costs = set(range(first, last + 1))
    return Corruption(f"{value} written as {column} of the batch {first} to {last}", costs, surely=column != "at")


def write_batch(path: Path, last: int, column: str, value: Any) -> None:
    """Write *value* to the row of a batch, also where its table does not allow that."""
    change = f"UPDATE batch SET {column} = ? WHERE last_seq = ?"  # noqa: S608
    with closing(apsw.Connection(str(path))) as db:
        schema = db.execute("SELECT sql FROM sqlite_schema WHERE name = 'batch'").get
    for sql in (schema.replace("NOT NULL", ""), schema):
        with closing(apsw.Connection(str(path))) as db:
            db.pragma("writable_schema", True)
            db.execute("UPDATE sqlite_schema SET sql = ? WHERE name = 'batch'", (sql,))
        if sql != schema:
            with closing(apsw.Connection(str(path))) as db:
                db.execute(change, (value, last))


def _missing(folder: Path, journals: Journals) -> set[int]:
    """Return the numbers that SQLite itself no longer finds."""
    left = contents(folder).samples
    return {seq for sample, seq in contents(journals.killed).samples.items() if sample not in left}


WAYS: list[Callable[[Path, Journals, Random], Corruption]] = [
    zeroed_page,
    stray_write,
    log_cut,
    broken_mark,
    flipped_bits,
    torn_tail,
    corrupt_header,
    older_copy,
    overwritten_batch,
]
