"""Batches as the rows that are inserted, each with its checksum."""

from collections.abc import Mapping, Sequence
from itertools import islice
from math import inf
from typing import NamedTuple

import numpy as np

from tidegauge.store.journal import Stamped
from tidegauge.store.journal.sqlite.checksums import as_columns, checksum, checksums

FEW = 16  # samples: NumPy takes 42 us for the checksums of however few, plain Python 2 us a sample
SampleRow = tuple[int, int, int, float | None]  # seq, series by id, time, value


class Numbered(NamedTuple):
    """A batch and the sequence number of its first sample; they rise by one.

    ``push`` is a hash of its request; ``at`` when it arrived, ms since the Unix epoch, 0: now.
    """

    first: int
    samples: Sequence[Stamped]
    push: bytes | None = None
    at: int = 0


def as_rows(batches: Sequence[Numbered], ids: Mapping[str, int]) -> tuple[list[SampleRow], list[int]]:
    """Return the rows to insert, and a checksum for each batch."""
    rows = [
        (seq, ids[name], time, value)
        for batch in batches
        for seq, (name, time, value) in enumerate(batch.samples, batch.first)
    ]
    if len(rows) <= FEW:
        left = iter(rows)
        return rows, [checksum(islice(left, len(batch.samples))) for batch in batches]
    ends = np.cumsum([len(batch.samples) for batch in batches], dtype=np.int64)
    return rows, checksums(*as_columns((s, i, t, inf if v is None else v) for s, i, t, v in rows), ends).tolist()
