"""The journal as a stream of NATS JetStream, which any number of hosts share; message.py says what lies in it."""

import asyncio
import logging
import secrets
import socket
import sys
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from hashlib import blake2b
from pathlib import Path
from threading import Event
from time import monotonic

from nats.js import JetStreamContext

from tidegauge.errors import JournalUnusable, JournalUnwritable, explain
from tidegauge.store.journal import Follower, History, Newest, Reading, Row
from tidegauge.store.journal.jetstream import streams
from tidegauge.store.journal.jetstream.connection import (
    AGAIN_S,
    FAILURES,
    LIMIT_S,
    Access,
    Away,
    Connection,
    Engine,
    Refused,
)
from tidegauge.store.journal.jetstream.copy import Copy
from tidegauge.store.journal.jetstream.lease import Lease
from tidegauge.store.journal.jetstream.message import (
    BATCH,
    CONTROL,
    PAYLOAD,
    STEP,
    Control,
    Message,
    body,
    cut,
    cut_units,
    encode,
)
from tidegauge.store.journal.sqlite.retention import Retention

OPEN_S = 3.0  # a start waits for the engine so long, and then goes on with what the copy has
SEEN_S = 0.5  # a push waits so long until its own host shows it
TAKE_S = 0.002  # between the beginnings of two takes: what comes meanwhile is taken together
CLOSE_S = 2.0
WATCH_S = 1.0
MANY = 1_000  # messages, by which a host is behind
SILENT_S = 5.0  # after which it is said that nothing is heard of the stream
FAILURES_IN_A_ROW = 3  # of looks, each of which takes 2 s; then another server is asked
RENEW = "On order: `flask --app wsgi journal renew` begins a new epoch; then reload every host."

log = logging.getLogger(__name__)


def _id(push: bytes | None, number: int, part: Sequence[Reading]) -> str:
    """Return the id of a part of a request: the same for a repeat of which as much was let in."""
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


class JetStreamJournal:
    """Keeps samples in a stream, and a copy of it on this host.

    Args:
        access: where the servers are.
        stream: its name, also the first part of its subjects.
        path: the file of the copy.
        retention: its days are the stream's when it is made; the copy's own.
    """

    def __init__(self, access: Access, stream: str, path: Path, retention: Retention) -> None:
        self._stream = stream
        self._retention = retention
        self._replicas = access.replicas
        self._me = f"{socket.gethostname()}-{secrets.token_hex(4)}"
        self._engine = Engine(access, f"tidegauge {self._me}", self._session)
        self._copy = Copy(path, retention, "")
        self._epoch = ""  # of the stream, as it was seen last
        self._found = Event()
        self._is_open = asyncio.Event()
        self._waiting: list[tuple[int, asyncio.Future[None]]] = []  # for the copy to have taken a position
        self._had = 0  # the position of the copy at the last look
        self._refusal = ""  # why this stream is not followed any more
        self._behind = 0  # messages
        self._is_following = False
        self._heard_at = 0.0  # monotonic, s; of the stream
        self._has_caught_up = False
        self._lease = Lease(f"{stream}-lease", access.replicas, self._me, lambda: not self._engine.problem)
        self._may_lead = asyncio.Event()
        self._commits = 0
        self._commit_s = 0.0

    def follow(self, follower: Follower) -> None:
        """See Journal."""
        self._follower = follower

    # ---- its life ----

    def open(self, window: int) -> Sequence[Newest]:
        """Learn the stream's epoch, and open the copy; see Journal."""
        self._engine.start()
        known = self._found.wait(OPEN_S)
        self._copy = Copy(self._copy.path, self._retention, self._epoch)
        self._copy.follow(self._follower)
        found = self._copy.open(window)
        if not known and not self._copy.epoch:
            self._copy.close()
            raise JournalUnusable(self._stream, self._engine.problem)
        self._engine.soon(self._is_open.set)
        return found

    @property
    def leads(self) -> bool:
        """Whether this process holds the lease; see Journal."""
        return self._lease.is_held

    def stand(self, *, able: bool) -> None:
        """Compete for the lease, or do so no more; see Journal."""
        if able:
            self._engine.soon(self._may_lead.set)
        elif self._may_lead.is_set():
            with suppress(Away):
                self._engine.call(lambda: self._engine.with_stream(self._lease.give_up), CLOSE_S)

    def close(self) -> None:
        """See Journal."""
        self.stand(able=False)
        self._engine.stop()
        self._copy.close()

    @property
    def epoch(self) -> str:
        """See Journal."""
        return self._copy.epoch

    @property
    def problem(self) -> str:
        """Why nothing can be kept now; see Journal."""
        return self._engine.problem or self._copy.problem

    @property
    def behind(self) -> str:
        """What this process has yet to take before it shows what others show, "" once it has."""
        if not self._has_caught_up:
            return f"it is catching up, {self._behind} messages are to come"
        silent_s = monotonic() - self._heard_at
        return f"it has heard nothing of the stream for {silent_s:.0f} s" if silent_s > SILENT_S else ""

    # ---- the session, in the engine's thread ----

    async def _session(self, connection: Connection) -> None:
        is_known, is_over = asyncio.Event(), asyncio.Event()

        async def watch() -> None:
            try:
                await self._watch(connection, is_known)
            finally:
                is_over.set()

        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(watch())
            await is_known.wait()
            tasks.create_task(_again(lambda: self._follow_stream(connection), is_over))
            tasks.create_task(_again(lambda: self._hold_lease(connection.stream), is_over))

    async def _watch(self, connection: Connection, is_known: asyncio.Event) -> None:
        """Look at the stream every second, and note when it is the one that was there; ends where nothing answers."""
        is_marked, failures = False, 0
        while failures < FAILURES_IN_A_ROW:
            try:
                epoch = await self._look(connection)
                if not is_marked:
                    await streams.mark(connection.stream, self._stream, self._replicas, epoch)
                    is_marked = True
                self._found.set()
                is_known.set()
                self._engine.well()
                failures = 0
            except FAILURES as error:
                failures += 1
                self._engine.ill(error)
            except Refused as error:
                self._engine.ill(error)
            await asyncio.sleep(WATCH_S)
        raise ConnectionError("this server does not answer")

    async def _hold_lease(self, stream: JetStreamContext) -> None:
        await self._may_lead.wait()
        await self._lease.hold(stream)

    async def _look(self, connection: Connection) -> str:
        """Return the epoch of the stream, which is made if there never was one.

        Raises:
            Refused: it is not the one that was there; or the server takes no message as large as ours.
        """
        client, stream = connection
        if self._refusal:
            raise Refused(self._refusal)
        if client.max_payload < PAYLOAD:
            raise Refused(f"NATS takes {client.max_payload} bytes a message: set its max_payload to {PAYLOAD} or more")
        name, position = self._stream, self._copy.position
        had, self._had = self._had, position  # what a follower has sent just now, the leader may not have applied yet
        info = await streams.find(stream, name)
        if info is None:
            if self._copy.epoch or await streams.was_marked(stream, name):
                raise Refused(f"the stream {name!r} is gone, and nothing is made in its place. {RENEW}")
            info = await streams.make(stream, name, self._replicas, self._retention)
        self._epoch = streams.epoch(info)
        if not self._epoch:
            raise Refused(f"the stream {name!r} was not made by Tidegauge: name another in TIDEGAUGE_JOURNAL")
        if self._copy.epoch not in {"", self._epoch}:
            raise Refused(
                f"the stream {name!r} has the epoch {self._epoch}, this process {self._copy.epoch}: reload it"
            )
        if info.state.last_seq < had:
            raise Refused(
                f"the stream {name!r} ends at message {info.state.last_seq}, and {had} was there:"
                f" an older one has taken its place. {RENEW}"
            )
        return self._epoch

    async def _follow_stream(self, connection: Connection) -> None:
        """Hand every message after the copy's position to the copy, in order."""
        await self._is_open.wait()
        try:
            await self._take_all(connection)
        finally:
            self._is_following = False
            self._show()

    async def _take_all(self, connection: Connection) -> None:
        # From the last message on that was taken: whether it is still the same.
        async for messages, behind in streams.follow(connection, self._stream, max(1, self._copy.position)):
            if messages and messages[0].position == self._copy.position:
                await self._compare(messages[0])
            self._is_following = True
            self._heard_at = began = monotonic()
            while messages:
                try:
                    await asyncio.to_thread(self._copy.take, messages)
                    break
                except JournalUnwritable as error:
                    log.error("The copy cannot be written; it goes on trying: %s", error.what)
                    await asyncio.sleep(1)
            self._behind = behind
            self._has_caught_up = not behind or (self._has_caught_up and behind < MANY)
            self._show()
            if messages:
                await asyncio.sleep(began + TAKE_S - monotonic())

    async def _compare(self, last: Message) -> None:
        if not await asyncio.to_thread(self._copy.agrees, last):
            self._refusal = (
                f"the stream {self._stream!r} has another message {last.position} than was taken from it: an older one"
                f" has taken its place. {RENEW}"
            )
            raise Refused(self._refusal)

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
        newest = max(at * STEP + len(part) - 1 for at, part in zip(positions, kept.values(), strict=True))
        self._commits += 1
        self._commit_s += monotonic() - started
        return newest

    def _publish(self, subject: str, bodies: Mapping[str, bytes]) -> list[int]:
        """Have the stream keep messages, by their ids, and return their positions; this host shows them by then."""
        subject = f"{self._stream}.{subject}"

        async def publish() -> list[int]:
            deadline = monotonic() + LIMIT_S - SEEN_S / 10  # a thread waits LIMIT_S, and no longer
            sending = [self._engine.publish(subject, *one) for one in bodies.items()]
            positions = [await sending[0]] if len(sending) == 1 else await asyncio.gather(*sending)
            await self._shown(max(positions), min(SEEN_S, deadline - monotonic()))
            return positions

        try:
            return self._engine.call(publish)
        except Away as error:
            raise JournalUnwritable(str(error)) from error

    async def _shown(self, position: int, within_s: float) -> None:
        """Wait until this host shows what lies at *position*, for a moment: who pushes may read here at once."""
        if self._is_following and self._copy.position < position:
            shown = asyncio.get_running_loop().create_future()
            self._waiting.append((position, shown))
            with suppress(TimeoutError):
                async with asyncio.timeout(within_s):
                    await shown

    def _show(self) -> None:
        """Let those go on who wait for what the copy has; all of them where it follows no more."""
        there = self._copy.position if self._is_following else sys.maxsize
        waiting, self._waiting = self._waiting, []
        for position, shown in waiting:
            if position > there:
                self._waiting.append((position, shown))
            elif not shown.done():
                shown.set_result(None)

    def forget(self, names: Sequence[str]) -> None:
        """See Journal."""
        self._control([Control(forget=list(names))])

    def keep_units(self, units: Mapping[str, str]) -> None:
        """See Journal."""
        self._control(cut_units(units))

    def _control(self, said: Iterable[Control]) -> None:
        self._publish(CONTROL, {secrets.token_hex(16): encode(one) for one in said})

    def keep_count(self, n: int) -> None:
        """Keep the tutorial's count, which is each host's own."""
        self._copy.keep_count(n)

    # ---- reading: the copy ----

    def read(
        self, series: str, since: int, to: int, *, start_ms: int | None, end_ms: int | None, limit: int
    ) -> tuple[list[Row], int]:
        """See Journal."""
        return self._copy.read(series, since, to, start_ms=start_ms, end_ms=end_ms, limit=limit)

    def history(self, series: str, to: int, start_ms: int, end_ms: int) -> History:
        """See Journal."""
        return self._copy.history(series, to, start_ms, end_ms)

    @property
    def units(self) -> Mapping[str, str]:
        """See Journal."""
        return self._copy.units

    @property
    def losses(self) -> Sequence[str]:
        """See Journal."""
        return self._copy.losses

    @property
    def counted(self) -> int:
        """See Journal."""
        return self._copy.counted

    @property
    def commits(self) -> int:
        """How many pushes this process has had acknowledged."""
        return self._commits

    @property
    def commit_s(self) -> float:
        """Seconds that they took."""
        return self._commit_s

    def state(self) -> dict[str, object]:
        """See Journal."""
        return {
            **self._copy.state(),
            "kind": "jetstream",
            "stream": self._stream,
            "position": self._copy.position,
            "behind": self._behind,
            "left_out": self._copy.left_out,
            "samples_here": self._lease.is_held,
        }
