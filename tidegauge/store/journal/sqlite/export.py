"""All that a journal's file has, in order."""

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import numpy as np

from tidegauge.store.journal import Stamped
from tidegauge.store.journal.sqlite.checksums import outside, read_checked
from tidegauge.store.journal.sqlite.database import connect_reader

READ_SAMPLES = 20_000  # at once


def read_all(file: Path, after: int) -> Iterator[tuple[list[int], list[Stamped]]]:
    """Yield numbers and samples of a file, but for those that are damaged or of series that were deleted."""
    with closing(connect_reader(file)) as db:
        names = dict(db.execute("SELECT id, name FROM series WHERE name IS NOT NULL"))
        left_out = list(db.execute("SELECT first_seq, last_seq FROM damage"))
        [(to,)] = db.execute("SELECT coalesce(max(last_seq), 0) FROM batch")
        while True:
            columns, damaged, end = read_checked(db, after, to, READ_SAMPLES)
            if end == after:
                return
            kept = outside(columns[0], [*left_out, *damaged]) & np.isin(columns[1], list(names))
            seq, series, times, values = (column[kept].tolist() for column in columns)
            yield (
                seq,
                [
                    (names[number], time, None if value != value else value)
                    for number, time, value in zip(series, times, values, strict=True)
                ],
            )
            after = end
