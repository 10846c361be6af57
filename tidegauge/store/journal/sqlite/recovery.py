"""What can still be read of a damaged file, into a new one."""

import collections
from collections.abc import Iterator
from contextlib import closing, suppress
from itertools import chain
from pathlib import Path
from time import monotonic
from typing import Any

import apsw

from tidegauge.store.journal.sqlite.database import connect, connect_reader, insert, transaction
from tidegauge.store.times import now_ms

NUMBERS_AT_ONCE = 20_000  # sequence numbers read at once
PAGE_ROWS = 50  # samples: a page of 4,096 bytes has more
# What is found need not be numbers, nor fit together. Samples of no batch cannot be checked, so they are left out as
# damaged; a series whose name is lost gets one; batches that lack samples will fail their check.
MEND = (
    """
    DELETE FROM sample
    WHERE typeof(series) || typeof(time) <> 'integerinteger' OR typeof(value) NOT IN ('real', 'null')
    """,
    "DELETE FROM batch WHERE typeof(first_seq) || typeof(at) || typeof(checksum) <> 'integerintegerinteger'",
    """
    INSERT OR REPLACE INTO damage
    SELECT min(seq), max(seq), :now FROM (SELECT seq, (SELECT max(last_seq) FROM batch WHERE last_seq < seq) AS before
        FROM sample WHERE NOT EXISTS (SELECT 1 FROM batch WHERE seq BETWEEN first_seq AND last_seq))
    GROUP BY before
    """,
    """
    INSERT INTO series
    SELECT DISTINCT series, 'lost.' || series FROM sample WHERE series NOT IN (SELECT id FROM series)
    """,
    "UPDATE journal SET samples = (SELECT count(*) FROM sample), horizon = max(horizon, :end)",
)


def recover(damaged: Path, target: Path, *, ceiling: int, within_s: float) -> int | None:
    """Write what can be read of *damaged* to the new journal *target*, the newest samples first.

    Args:
        ceiling: no sequence number above it was ever given.
        within_s: how long it may take; a million samples take about 5 s.

    Returns:
        The ``seq`` up to which there was no time, 0 if there was; None: nothing can be read, and there is no *target*.
    """
    deadline = monotonic() + within_s
    try:
        with closing(connect_reader(damaged)) as source, closing(connect(target)) as db:
            # Or nothing of a file is read whose end is missing: lockBtree in https://www.sqlite.org/src/file/src/btree.c
            source.execute("PRAGMA writable_schema = ON")
            end = _copy(source, db, ceiling, deadline)
            with transaction(db):
                for statement in MEND:
                    db.execute(statement, {"now": now_ms(), "end": end})
        return end
    except apsw.Error:
        for suffix in ("", "-wal", "-shm"):
            target.with_name(target.name + suffix).unlink(missing_ok=True)
        return None


def _copy(source: apsw.Connection, db: apsw.Connection, ceiling: int, deadline: float) -> int:
    with transaction(db):
        for rows in _readable(source, "journal", 1, 1):
            db.executemany("UPDATE journal SET horizon = ?", [(horizon,) for _, _, horizon in rows])
        insert(db, "series", _names(source, ceiling), otherwise="IGNORE")  # and not the units: agents name them again
        for rows in _readable(source, "damage", 1, ceiling):
            insert(db, "damage", rows, otherwise="IGNORE")
    for end in range(ceiling, 0, -NUMBERS_AT_ONCE):
        if monotonic() > deadline:
            return end
        with transaction(db):
            for table in ("batch", "sample"):
                for rows in _readable(source, table, end - NUMBERS_AT_ONCE + 1, end):
                    insert(db, table, rows, otherwise="IGNORE")
    return 0


def _names(db: apsw.Connection, ceiling: int) -> list[tuple[object, ...]]:
    """Return the series, by id and name, that the table and its index by name do not say otherwise of each other."""
    pairs = {row for rows in _readable(db, "series", 1, ceiling) for row in rows}
    with suppress(apsw.CorruptError, UnicodeDecodeError):
        pairs.update(db.execute("SELECT id, name FROM series INDEXED BY sqlite_autoindex_series_1 WHERE name > ''"))
    times = collections.Counter(chain.from_iterable(pairs))
    return [
        (number, name)
        for number, name in pairs
        if times[number] == 1 and (name is None or (isinstance(name, str) and times[name] == 1))
    ]


def _readable(db: apsw.Connection, table: str, first: int, last: int) -> Iterator[list[tuple[Any, ...]]]:
    """Yield the rows with first <= rowid <= last that can be read, some of them twice.

    They are read from both ends up to what cannot be, or to a row whose number is damaged, which ends a look without an
    error. What lies between is read as two halves, until it is less than a page.
    """
    is_whole = True
    for order in ("ASC", "DESC"):
        query = f"SELECT rowid, * FROM {table} WHERE rowid BETWEEN ? AND ? ORDER BY rowid {order}"  # noqa: S608
        rows: list[Any] = []
        try:
            rows.extend(db.execute(query, (first, last)))
        except (apsw.CorruptError, UnicodeDecodeError):
            is_whole = False
        yield [row[1:] for row in rows]
        if is_whole and len(rows) in {0, last - first + 1}:
            return
        if rows and not is_whole:  # never wider: a damaged page may have any number
            end = rows[-1][0]
            first, last = (max(first, end + 1), last) if order == "ASC" else (first, min(last, end - 1))
    # Where the numbers are few, as those of series, the ends are all: halves of a billion numbers would take for ever.
    if not is_whole and PAGE_ROWS <= last - first < NUMBERS_AT_ONCE:
        middle = (first + last) // 2
        yield from _readable(db, table, first, middle)
        yield from _readable(db, table, middle + 1, last)
