"""Reads the file's samples back, beside whoever writes it."""

from collections.abc import Iterator
from contextlib import closing, contextmanager
from itertools import chain, islice
from pathlib import Path

import apsw
import numpy as np

from tidegauge.errors import JournalUnusable, explain
from tidegauge.store.journal import Sample, TimesAndValues
from tidegauge.store.journal.sqlite import by_series
from tidegauge.store.journal.sqlite.checksums import as_table
from tidegauge.store.journal.sqlite.database import connect_reader


class SqliteHistory:
    """See History. Each read has a connection of its own, and sees one moment: retention may remove samples meanwhile.

    Args:
        path: the journal's file.
    """

    def __init__(self, path: Path) -> None:
        self._path = path

    def read(
        self, series: str, since: int, to: int, *, start_ms: int | None, end_ms: int | None, limit: int
    ) -> tuple[list[Sample], int]:
        """See History."""
        with self._moment() as db:
            parts = by_series.read(db, "seq, time, value", _id_of(db, series), since, to, start_ms, end_ms)
            found: list[Sample] = list(islice(chain.from_iterable(parts), limit))
            [(horizon,)] = db.execute("SELECT horizon FROM journal")
        return found, horizon

    def by_time(self, series: str, to: int, start_ms: int, end_ms: int) -> TimesAndValues:
        """See History."""
        # Through one array of doubles, with inf for a gap: half the time of rows.
        with self._moment() as db:
            parts = by_series.read(db, "time, ifnull(value, 9e999)", _id_of(db, series), 0, to, start_ms, end_ms)
            t, v = as_table(chain.from_iterable(parts), np.float64, 2).T
        v[np.isinf(v)] = np.nan
        order = np.argsort(t, kind="stable")
        return TimesAndValues(t[order], v[order])

    @contextmanager
    def _moment(self) -> Iterator[apsw.Connection]:
        try:
            with closing(connect_reader(self._path)) as db, db:
                yield db
        except apsw.Error as error:
            raise JournalUnusable(str(self._path), explain(error)) from error


def _id_of(db: apsw.Connection, series: str) -> int:
    """Return the number of a series in the file, 0 if it has none."""
    return next((number for (number,) in db.execute("SELECT id FROM series WHERE name = ?", (series,))), 0)
