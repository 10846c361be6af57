"""What can still be read of a damaged file, into a new one."""

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from time import monotonic

import apsw

from app.clock import now_ms
from app.journal.database import connect, connect_reader, insert, transaction

SLICE = 20_000  # sequence numbers read at once
# What is found need not fit together. Samples of no batch cannot be checked, so they are left out as damaged; a series
# whose name is lost gets one; batches that lack samples will fail their check.
MEND = (
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
        for horizon in _readable(source, "journal", 1, 1):
            db.execute("UPDATE journal SET horizon = ?", (horizon[0][2],))
        for table in ("series", "damage"):  # and not the units: agents name them again
            for rows in _readable(source, table, 1, ceiling):
                insert(db, table, rows)
    for end in range(ceiling, 0, -SLICE):
        if monotonic() > deadline:
            return end
        with transaction(db):
            for table in ("batch", "sample"):
                for rows in _readable(source, table, end - SLICE + 1, end):
                    insert(db, table, rows)
    return 0


def _readable(db: apsw.Connection, table: str, first: int, last: int) -> Iterator[list[tuple[object, ...]]]:
    """Yield the rows with first <= rowid <= last that can be read: halves of what cannot be read as a whole."""
    try:
        rows = db.execute(f"SELECT * FROM {table} WHERE rowid BETWEEN ? AND ?", (first, last)).fetchall()  # noqa: S608
    except apsw.CorruptError:
        if first < last:
            middle = (first + last) // 2
            yield from _readable(db, table, first, middle)
            yield from _readable(db, table, middle + 1, last)
    else:
        yield rows
