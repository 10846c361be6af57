"""What a file and a stream have, compared once one was copied into the other."""

from collections.abc import Sequence
from itertools import groupby
from operator import itemgetter
from pathlib import Path

import numpy as np

from tidegauge.errors import BadSample, JournalUnusable
from tidegauge.store.journal import Stamped
from tidegauge.store.journal.jetstream import message
from tidegauge.store.journal.jetstream.connection import Server
from tidegauge.store.journal.jetstream.consumer import follow
from tidegauge.store.journal.jetstream.message import CONTROL
from tidegauge.store.journal.sqlite.checksums import checksums
from tidegauge.store.journal.sqlite.export import read_all

Totals = dict[str, tuple[int, int]]  # of each series: how many samples, and a checksum of their times and values


def of_file(file: Path, after: int = 0) -> Totals:
    """Return what a file has after a number."""
    totals: Totals = {}
    for _, samples in read_all(file, after):
        _add(totals, samples)
    return totals


async def of_stream(server: Server, name: str) -> tuple[int, Totals]:
    """Return the position of a stream's first message, 0 without any, and what it has."""
    totals: Totals = {}
    first = 0
    async for messages, behind in follow(server, name, 1):
        for one in messages:
            first = first or one.position
            try:
                if one.subject == CONTROL:
                    for forgotten in message.control(one).forget:
                        totals.pop(forgotten, None)
                else:
                    _add(totals, message.samples(one))
            except BadSample:
                continue  # the copies leave it out, too
        if not behind:
            break
    return first, totals


def _add(totals: Totals, samples: Sequence[Stamped]) -> None:
    for name, group in groupby(sorted(samples, key=itemgetter(0)), itemgetter(0)):
        rows = list(group)
        times = np.array([time for _, time, _ in rows], np.int64)
        values = np.array([value for _, _, value in rows], np.float64)
        nothing = np.zeros(len(rows), np.int64)
        [total] = checksums(nothing, nothing, times, values, np.array([len(rows)])).tolist()
        count, before = totals.get(name, (0, 0))
        totals[name] = count + len(rows), (before + total) % 2**64


def agree(wanted: Totals, found: Totals) -> Totals:
    """Return *found*; raises JournalUnusable where it is not what is *wanted*."""
    for name in wanted.keys() | found.keys():
        if (there := wanted.get(name, (0, 0))) != (here := found.get(name, (0, 0))):
            why = f"{there[0]} samples were there, {here[0]} are here" if there[0] != here[0] else "samples differ"
            raise JournalUnusable(name, f"the copy is not what it was made from: {why}; copy it again")
    return found
