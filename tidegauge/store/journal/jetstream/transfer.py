"""Moving a journal from an SQLite file into a stream, and back. What was broken off is taken up where it ended.

Into a stream the samples get new numbers, all above the old ones, so that the epoch can stay: whoever has read in it
misses nothing. Into a file they keep their numbers.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager, closing, suppress
from functools import partial
from pathlib import Path
from typing import TypeVar

import nats
from nats.js.errors import NoStreamResponseError

from tidegauge.errors import JournalUnusable
from tidegauge.store.journal import Reading, Stamped, WindowContent
from tidegauge.store.journal.jetstream import message, streams
from tidegauge.store.journal.jetstream.access import Access
from tidegauge.store.journal.jetstream.comparison import Totals, agree, of_file, of_stream
from tidegauge.store.journal.jetstream.connection import FAILURES, Server
from tidegauge.store.journal.jetstream.consumer import follow
from tidegauge.store.journal.jetstream.copy import Copy
from tidegauge.store.journal.jetstream.message import BATCH, CONTROL, SEQS_PER_MESSAGE
from tidegauge.store.journal.sqlite import files
from tidegauge.store.journal.sqlite.database import connect_reader
from tidegauge.store.journal.sqlite.export import read_all
from tidegauge.store.journal.sqlite.retention import Retention

__all__ = ["FAILURES"]
COPIED = "Tidegauge-Copied"  # header of a message: the number in the file of its last sample
AT_ONCE = 64  # messages on their way
SEND_S, AGAIN_S = 30.0, 0.1
EVERYTHING = Retention(days=36_500, samples=2**62)
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
    for numbers, samples in read_all(file, after):
        start = 0
        for part in message.cut(samples):
            start += len(part)
            yield samples[start - len(part) : start], numbers[start - 1]
