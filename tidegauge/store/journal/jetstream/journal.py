"""The journal as a stream of NATS JetStream, which any number of hosts share; message.py says what lies in it."""

import asyncio
import logging
import secrets
import socket
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from hashlib import blake2b
from pathlib import Path
from time import monotonic

from tidegauge.errors import JournalUnusable, JournalUnwritable, explain
from tidegauge.store.journal import Commits, Follower, Reading
from tidegauge.store.journal.jetstream.access import Access
from tidegauge.store.journal.jetstream.availability import Availability
from tidegauge.store.journal.jetstream.calls import LIMIT_S, Unavailable
from tidegauge.store.journal.jetstream.connection import AGAIN_S, FAILURES, Connection, Server
from tidegauge.store.journal.jetstream.copy import Copy
from tidegauge.store.journal.jetstream.lease import Lease
from tidegauge.store.journal.jetstream.message import (
    BATCH,
    CONTROL,
    SEQS_PER_MESSAGE,
    Control,
    body,
    cut,
    cut_units,
    encode,
)
from tidegauge.store.journal.jetstream.replication import Replication
from tidegauge.store.journal.jetstream.watch import Watch
from tidegauge.store.journal.sqlite.retention import Retention

OPEN_S = 3.0  # a start waits for the servers so long, and then goes on with what the copy has
SEEN_S = 0.5  # a push waits so long until its own host shows it
CLOSE_S = 2.0

log = logging.getLogger(__name__)


class JetStreamJournal:
    """Keeps samples in a stream, and a copy of it on this host, whose history is this journal's.

    Args:
        access: where the servers are.
        stream: its name, also the first part of its subjects.
        path: the file of the copy.
        retention: its days are the stream's when it is made; the copy's own.
    """

    def __init__(self, access: Access, stream: str, path: Path, retention: Retention) -> None:
        me = f"{socket.gethostname()}-{secrets.token_hex(4)}"
        self.commits = Commits()  # pushes of this process that were acknowledged
        self._stream = stream
        self._copy = Copy(path, retention, "")
        self.history, self.losses = self._copy.history, self._copy.losses
        self._availability = Availability()
        self._connection = Connection(access, f"tidegauge {me}", self._session, self._availability)
        self._replication = Replication(stream, self._copy)
        self._watch = Watch(stream, access.replicas, retention, self._copy, self._replication, self._availability)
        self._lease = Lease(f"{stream}-lease", access.replicas, me, lambda: not self._availability.problem)
        self._follower: Follower

    # ---- its life ----

    def open(self, follower: Follower) -> None:
        """Learn the stream's epoch, and open the copy; see Journal."""
        self._follower = follower
        self._connection.start()
        is_known = self._watch.found.wait(OPEN_S)
        self._copy.epoch = self._watch.epoch
        self._copy.open(follower)
        if not is_known and not self._copy.epoch:
            self._copy.close()
            raise JournalUnusable(self._stream, self._availability.problem)
        self._connection.soon(self._replication.begin)

    def close(self) -> None:
        """See Journal."""
        self.resign()
        self._connection.stop()
        self._copy.close()

    async def _session(self, server: Server) -> None:
        """What runs while there is a connection, in its thread."""
        is_known, is_over = asyncio.Event(), asyncio.Event()

        async def watch() -> None:
            try:
                await self._watch.run(server, is_known)
            finally:
                is_over.set()

        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(watch())
            await is_known.wait()
            tasks.create_task(_again(lambda: self._replication.run(server), is_over))
            tasks.create_task(_again(lambda: self._lease.hold(server.jetstream), is_over))

    # ---- writing ----

    def append(self, batch: Sequence[Reading], push: bytes | None = None) -> int:
        """Have the stream keep the batch; returns when its servers have acknowledged it. See Journal.

        A batch of more than 4,096 samples is several messages. If some of them were kept and others not, the batch is
        not acknowledged; a repeat of the request adds those that are missing.
        """
        started = monotonic()
        parts = list(cut(batch))
        admitted = zip(parts, self._follower.admit(parts), strict=True)
        kept = {_id(push, number, part): samples for number, (part, samples) in enumerate(admitted) if samples}
        if not kept:
            return self._copy.last_seq
        positions = self._publish(BATCH, {message_id: body(part) for message_id, part in kept.items()})
        last = max(at * SEQS_PER_MESSAGE + len(part) - 1 for at, part in zip(positions, kept.values(), strict=True))
        self.commits.add(monotonic() - started)
        return last

    def forget(self, names: Sequence[str]) -> None:
        """See Journal."""
        self._publish_control([Control(forget=list(names))])

    def keep_units(self, units: Mapping[str, str]) -> None:
        """See Journal."""
        self._publish_control(cut_units(units))

    def _publish_control(self, messages: Iterable[Control]) -> None:
        self._publish(CONTROL, {secrets.token_hex(16): encode(one) for one in messages})

    def _publish(self, subject: str, bodies: Mapping[str, bytes]) -> list[int]:
        """Have the stream keep messages, by their ids, and return their positions; this host shows them by then."""
        subject = f"{self._stream}.{subject}"

        async def publish() -> list[int]:
            deadline = monotonic() + LIMIT_S - SEEN_S / 10  # a thread waits LIMIT_S, and no longer
            sending = [self._connection.publish(subject, *one) for one in bodies.items()]
            positions = [await sending[0]] if len(sending) == 1 else await asyncio.gather(*sending)
            await self._replication.wait_for(max(positions), min(SEEN_S, deadline - monotonic()))
            return positions

        try:
            return self._connection.call(publish)
        except Unavailable as error:
            raise JournalUnwritable(str(error)) from error

    # ---- which host samples ----

    @property
    def is_leader(self) -> bool:
        """Whether this process holds the lease; see Journal."""
        return self._lease.is_held

    def campaign(self) -> None:
        """Compete for the lease; see Journal."""
        self._connection.soon(self._lease.compete)

    def resign(self) -> None:
        """Give the lease up for good; see Journal."""
        if self._lease.is_competing:
            with suppress(Unavailable):
                self._connection.call(lambda: self._connection.with_jetstream(self._lease.give_up), CLOSE_S)

    # ---- how it is ----

    @property
    def epoch(self) -> str:
        """See Journal."""
        return self._copy.epoch

    @property
    def problem(self) -> str:
        """Why nothing can be kept now; see Journal."""
        return self._availability.problem or self._copy.problem

    @property
    def behind(self) -> str:
        """See Journal."""
        return self._replication.behind

    def state(self) -> dict[str, object]:
        """See Journal."""
        return {
            **self._copy.state(),
            "kind": "jetstream",
            "stream": self._stream,
            "position": self._copy.position,
            "behind": self._replication.messages_behind,
            "left_out": self._copy.left_out,
            "samples_here": self._lease.is_held,
        }


def _id(push: bytes | None, number: int, part: Sequence[Reading]) -> str:
    """Return the id of a part of a request: the same for a repeat whose same part was let in."""
    if push is None:
        return secrets.token_hex(16)
    return blake2b(encode(part), key=push, salt=number.to_bytes(16), digest_size=16).hexdigest()


async def _again(task: Callable[[], Awaitable[None]], is_over: asyncio.Event) -> None:
    """Do *task* again and again, whatever the servers answer, until the session *is_over*.

    A cancellation alone may not end it: Python 3.11's wait_for, by which nats-py waits, can swallow one.
    """
    while not is_over.is_set():
        try:
            await task()
        except FAILURES as error:
            log.info("NATS: %s", explain(error))
        await asyncio.sleep(AGAIN_S[0])
