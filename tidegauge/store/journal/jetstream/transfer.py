"""Moving a journal from an SQLite file into a stream, and back. What was broken off is taken up where it ended.

Into a stream the samples get new numbers, all above the old ones, so that the epoch can stay: whoever has read in it
misses nothing. Into a file they keep their numbers.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager, closing, suppress
from functools import partial
from itertools import groupby
from operator import itemgetter
from pathlib import Path
from typing import TypeVar

import nats
import numpy as np
from nats.js.errors import NoStreamResponseError

from tidegauge.errors import BadSample, JournalUnusable
from tidegauge.store.journal import Reading, Stamped, WindowContent
from tidegauge.store.journal.jetstream import message, streams
from tidegauge.store.journal.jetstream.access import Access
from tidegauge.store.journal.jetstream.connection import FAILURES, Server
from tidegauge.store.journal.jetstream.consumer import follow
from tidegauge.store.journal.jetstream.copy import Copy
from tidegauge.store.journal.jetstream.message import BATCH, CONTROL, SEQS_PER_MESSAGE
from tidegauge.store.journal.sqlite import files
from tidegauge.store.journal.sqlite.checksums import checksums, outside, read_checked
from tidegauge.store.journal.sqlite.database import connect_reader
from tidegauge.store.journal.sqlite.retention import Retention

__all__ = ["FAILURES"]
COPIED = "Tidegauge-Copied"  # header of a message: the number in the file of its last sample
AT_ONCE = 64  # messages on their way
SEND_S, AGAIN_S = 30.0, 0.1
READ_SAMPLES = 20_000
EVERYTHING = Retention(days=36_500, samples=2**62)
Totals = dict[str, tuple[int, int]]  # of each series: how many samples, and a checksum of their times and values
Result = TypeVar("Result")
Progress = Callable[
    [int, int], None
]  # called with how far it is, and of how far: numbers of the file, messages of the stream


async def into_stream(source: Path, access: Access, name: str, retention: Retention, progress: Progress) -> Totals:
    """Copy a file's samples into the stream *name*, which is made; returns what both have now.

    Raises:
        JournalUnusable: a server writes to the file, the stream has samples of its own, or what is in it now is not
            what is in the file.
        nats.errors.Error, nats.js.errors.Error: the servers do not take it; it may be tried again.
    """
    with files.take(source):
        return await _into_stream(source, access, name, retention, progress)


async def _into_stream(source: Path, access: Access, name: str, retention: Retention, progress: Progress) -> Totals:
    async with _connected(access) as server:
        with closing(connect_reader(source)) as db:
            epoch, last = db.execute("SELECT epoch, (SELECT coalesce(max(last_seq), 0) FROM batch) FROM journal").get
            units = dict(db.execute("SELECT name, unit FROM unit"))
        done, position = await _where_it_ended(server, name, epoch)
        if position < 0:
            position = last // SEQS_PER_MESSAGE
            make = partial(streams.make, server.jetstream, name, access.replicas, retention)
            await _patiently(lambda: make(epoch=epoch, first=last // SEQS_PER_MESSAGE + 1))
            await _patiently(lambda: streams.note_existence(server.jetstream, name, access.replicas, epoch))
        if not done:
            for some in message.cut_units(units):
                position = await _publish(server, f"{name}.{CONTROL}", message.encode(some), {COPIED: "0"})
        sending: list[asyncio.Task[None]] = []
        for part, to in _parts(source, done):
            sending.append(asyncio.create_task(_send(server, name, part, to, position + len(sending))))
            if len(sending) == AT_ONCE:
                await asyncio.gather(*sending)
                position += len(sending)
                sending.clear()
                progress(to, last)
        await asyncio.gather(*sending)
        progress(last, last)
        return agree(of_file(source), (await of_stream(server, name))[1])


async def into_file(access: Access, name: str, target: Path, progress: Progress) -> Totals:
    """Copy a stream's samples into the file *target*, made if it is not there; returns what both have now.

    Raises:
        JournalUnusable: the file is of another epoch or in use, or what is in it now is not what is in the stream.
    """
    async with _connected(access) as server:
        info = await _patiently(lambda: streams.find(server.jetstream, name))
        if info is None:
            raise JournalUnusable(name, "there is no such stream")
        if target.exists():
            with closing(connect_reader(target)) as db:
                if (epoch := db.execute("SELECT epoch FROM journal").get) != streams.epoch(info):
                    raise JournalUnusable(str(target), f"it is of the epoch {epoch}, not of {streams.epoch(info)}")
                first = (info.config.first_seq or 1) * SEQS_PER_MESSAGE
                if db.execute("SELECT count(*) FROM (SELECT 1 FROM sample WHERE seq < ? LIMIT 1)", (first,)).get:
                    raise JournalUnusable(str(target), "it is what the stream was made from: name another file")
        copy = Copy(target, EVERYTHING, streams.epoch(info))
        copy.open(Nobody())
        try:
            async for messages, behind in follow(server, name, copy.position + 1):
                if messages:
                    await asyncio.to_thread(copy.take, messages)
                progress(copy.position, copy.position + behind)
                if not behind:
                    break
        finally:
            copy.close()
        first, totals = await of_stream(server, name)
        return agree(
            totals, of_file(target, first * SEQS_PER_MESSAGE - 1)
        )  # what has grown too old is in the file alone


async def renew(access: Access, name: str, retention: Retention) -> str:
    """Give the stream another epoch, or make one where there is none; returns the epoch."""
    async with _connected(access) as server:
        return await _patiently(lambda: streams.renew(server.jetstream, name, access.replicas, retention))


class Nobody:
    """Follows a copy, and does nothing."""

    size = 1

    def fill(self, contents: Sequence[WindowContent], units: Mapping[str, str]) -> None:
        """See Follower."""

    def admit(self, batches: Sequence[Sequence[Reading]]) -> list[list[Stamped]]:
        """See Follower: a copy asks for nothing."""
        return [[] for _ in batches]

    def deliver(self, batches: Sequence[tuple[int, Sequence[Stamped]]]) -> None:
        """See Follower."""

    def forget(self, names: Sequence[str]) -> None:
        """See Follower."""

    def note_units(self, units: Mapping[str, str]) -> None:
        """See Follower."""

    def declare(self, names: Iterable[str]) -> Sequence[str]:  # noqa: ARG002
        """See Follower: there is room for all."""
        return ()


@asynccontextmanager
async def _connected(access: Access) -> AsyncIterator[Server]:
    client = await nats.connect(list(access.servers), **access.options())
    try:
        yield Server(client, client.jetstream())
    finally:
        await client.close()


async def _where_it_ended(server: Server, name: str, epoch: str) -> tuple[int, int]:
    """Return up to which number the file was copied, and the stream's last position; -1: there is no stream."""
    info = await _patiently(lambda: streams.find(server.jetstream, name))
    if info is None:
        return 0, -1
    if streams.epoch(info) != epoch:
        raise JournalUnusable(name, f"the stream is of the epoch {streams.epoch(info)}, the file of {epoch}")
    if not info.state.messages:
        return 0, info.state.last_seq
    last = await _patiently(lambda: server.jetstream.get_msg(name, info.state.last_seq))
    copied = (last.headers or {}).get(COPIED)
    if copied is None:
        raise JournalUnusable(name, "the stream has samples of its own")
    return int(copied), info.state.last_seq


async def _send(server: Server, name: str, part: Sequence[Stamped], to: int, after: int) -> None:
    """Have the stream keep *part* at the position behind *after* or, if one before it has failed, not at all."""
    headers = {COPIED: str(to), "Nats-Expected-Last-Sequence": str(after)}
    await _publish(server, f"{name}.{BATCH}", message.body(part), headers)


async def _publish(server: Server, subject: str, body: bytes, headers: dict[str, str]) -> int:
    """Have the stream keep a message, and return its position."""
    publish = server.jetstream.publish
    return int((await _patiently(lambda: publish(subject, body, headers=headers, timeout=SEND_S))).seq)


async def _patiently(ask: Callable[[], Awaitable[Result]]) -> Result:
    """Return what *ask* does, which is asked again where a stream has no leader yet, or has just lost it."""
    async with asyncio.timeout(SEND_S):
        while True:
            with suppress(NoStreamResponseError, nats.errors.TimeoutError):
                return await ask()
            await asyncio.sleep(AGAIN_S)


def _parts(file: Path, after: int) -> Iterator[tuple[Sequence[Stamped], int]]:
    """Yield the samples after a number as messages, each with the number of its last sample in the file."""
    for numbers, samples in _read(file, after):
        start = 0
        for part in message.cut(samples):
            start += len(part)
            yield samples[start - len(part) : start], numbers[start - 1]


def _read(file: Path, after: int) -> Iterator[tuple[list[int], list[Stamped]]]:
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


def of_file(file: Path, after: int = 0) -> Totals:
    """Return what a file has after a number."""
    totals: Totals = {}
    for _, samples in _read(file, after):
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
            raise JournalUnusable(name, f"the copy is not what it was made from: {why}; make it anew")
    return found
