"""A check of the whole file, beside whoever writes it: every batch by its checksum, then the index."""

from collections.abc import Iterator
from dataclasses import dataclass

import apsw

from tidegauge.store.journal.sqlite import series_index
from tidegauge.store.journal.sqlite.checksums import begin_of, read_checked
from tidegauge.store.journal.sqlite.series_index import Run

CHECKED_SAMPLES = 20_000  # checked at once


@dataclass(frozen=True)
class Scrubbed:
    """What was checked, up to ``end``: the batches that are damaged, and the runs of the index that are wrong.

    ``unreadable``: the index is, so that it was not checked further.
    """

    end: int
    damaged: list[tuple[int, int]]
    wrong: list[Run]
    unreadable: bool = False


def scrub(db: apsw.Connection, to: int) -> Iterator[Scrubbed]:
    """Check every batch up to *to*, a slice at a time, then every run; what cannot be read is damaged, too."""
    last = 0
    left_out = list(db.execute("SELECT first_seq, last_seq FROM damage"))
    while True:
        try:
            _, damaged, end = read_checked(db, last, to, CHECKED_SAMPLES)
        except apsw.CorruptError:
            damaged, end = _check_next(db, last, to)
        if end == last:
            break
        yield Scrubbed(end, damaged, [])
        left_out += damaged
        last = end
    try:
        if (report := db.pragma("integrity_check", "slice")) != "ok":  # a slice that is not found is no error
            raise apsw.CorruptError(report)
        for run in series_index.within(db, 0, series_index.ALWAYS):
            yield Scrubbed(last, [], [] if series_index.agrees(db, run, left_out) else [run])
    except apsw.CorruptError:
        yield Scrubbed(last, [], [], unreadable=True)


def _check_next(db: apsw.Connection, after: int, to: int) -> tuple[list[tuple[int, int]], int]:
    """Check the next batch alone: of a slice with an unreadable page, the others are kept."""
    try:
        _, damaged, end = read_checked(db, after, to, 1)
        return damaged, end
    except apsw.CorruptError:
        query = "SELECT first_seq, last_seq FROM batch WHERE last_seq > ? AND last_seq <= ? ORDER BY last_seq LIMIT 1"
        [(first, last)] = db.execute(query, (after, to))
        return [(begin_of(first, last, after), last)], last
