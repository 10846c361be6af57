"""The SQLite file: how it is opened, written in few steps, and read."""

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from itertools import chain
from pathlib import Path
from typing import Any

import apsw

from tidegauge.store.journal.sqlite.schema import migrate

PRAGMAS = (
    "journal_mode = WAL",
    "synchronous = FULL",
    "cache_size = -8192",  # KiB; samples are written in order
    "temp_store = MEMORY",  # where a statement of many rows keeps what it would have to undo
    "wal_autocheckpoint = 16000",  # pages, 64 MB
    "journal_size_limit = 67108864",
)


def connect(path: Path) -> apsw.Connection:
    """Open *path* to write, made and brought to the newest version where needed; for one thread alone.

    Raises:
        apsw.NotADBError, apsw.CorruptError: the file is damaged, or none of ours.
        apsw.Error: it cannot be opened now, or comes from a newer release.
    """
    db = apsw.Connection(str(path), statementcachesize=300)
    db.set_busy_timeout(2_000)
    try:
        for pragma in PRAGMAS:
            db.execute(f"PRAGMA {pragma}")
        migrate(db)
    except apsw.SQLError as error:  # how SQLite calls some of what a damaged header says: "unsupported file format"
        raise apsw.CorruptError(str(error)) from error
    if db.readonly("main") and os.access(path, os.W_OK):
        raise apsw.CorruptError("its header forbids to write to it")
    return db


def connect_reader(path: Path) -> apsw.Connection:
    """Open *path* to read, beside whoever writes it."""
    db = apsw.Connection(str(path), flags=apsw.SQLITE_OPEN_READONLY)
    db.set_busy_timeout(2_000)
    return db


@contextmanager
def transaction(db: apsw.Connection) -> Iterator[None]:
    """Commit at the end, or roll back: an error of the commit, too (a connection's own ``with`` makes a savepoint)."""
    db.execute("BEGIN IMMEDIATE")
    try:
        yield
        db.execute("COMMIT")
    except BaseException:
        with suppress(apsw.Error):
            db.execute("ROLLBACK")
        raise


def insert(db: apsw.Connection, table: str, rows: Sequence[tuple[Any, ...]], otherwise: str = "ROLLBACK") -> None:
    """Insert whole rows into *table*, 1,000 a statement; call it inside a transaction, which an error rolls back.

    Around each step of a statement the interpreter's lock is given up, and while another thread computes it is
    back after a switch interval only: beside one such thread a row took 1,203 us with a step each (executemany). Alone
    a row takes 0.54 us with a step each, 0.28 with 100 to 1,000 rows a step, 0.53 with 2,000.
    "OR ROLLBACK" instead of the usual abort saves SQLite a copy of each page, by which it would undo one statement.

    Args:
        otherwise: what becomes of a row that the table does not take; "IGNORE" leaves it out.
    """
    place = f"({','.join('?' * len(rows[0]))})" if rows else ""
    start = 0
    while start < len(rows):
        left = len(rows) - start  # of a hundred statements at most, as SQLite keeps each
        part = rows[start : start + (1000 if left >= 1000 else left - left % 100 or left)]
        start += len(part)
        statement = f"INSERT OR {otherwise} INTO {table} VALUES {','.join([place] * len(part))}"  # noqa: S608
        db.execute(statement, tuple(chain.from_iterable(part)))
