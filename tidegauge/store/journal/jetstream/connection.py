"""A connection to NATS, in a background thread of its own, and a face to it whose every call ends in time.

While there is a connection, a *session* runs. When either fails, both are made anew, at another server: there is no
state but what the session finds out.
"""

import asyncio
import logging
import random
import ssl
from collections.abc import Awaitable, Callable, Coroutine
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from threading import Lock, Thread
from time import monotonic
from typing import Any, NamedTuple, TypeVar

from nats.aio.client import Client
from nats.errors import ConnectionClosedError, NoRespondersError
from nats.errors import Error as NatsError
from nats.js import JetStreamContext
from nats.js.errors import APIError, NoStreamResponseError

from tidegauge.errors import explain
from tidegauge.store.journal.sqlite.group_commit import locked

CONNECT_S = 2
CLOSE_S = 0.5
PING_S = 2  # a server that does not answer two of them is gone
AGAIN_S = (0.1, 2.0)  # between two tries to connect: at first, and at most
ANSWER_S = 2.0  # of one request
LIMIT_S = 5.0  # of a call, with all its tries
GRACE_S = 5.0  # servers that elect a leader take so long; what comes meanwhile waits, and is refused after it
WAITING = 16  # calls, of the server's 32 threads, that may wait while none is answered
REPEAT_IN_PROCESS = 10158  # the engine's code for: a message of that id is being kept just now
CLOSING = "it is being closed"
Result = TypeVar("Result")
AGAIN = (OSError, TimeoutError, NoRespondersError, NoStreamResponseError, ConnectionClosedError)  # what time may mend
FAILURES = (OSError, TimeoutError, NatsError, APIError, asyncio.TimeoutError)

log = logging.getLogger(__name__)


class Lenient(Client):
    """A client that goes on where a subject is no UTF-8, as a device's may be."""

    async def _process_msg(self, sid: int, subject: bytes, reply: bytes, data: bytes, headers: bytes) -> None:
        await super()._process_msg(sid, subject.decode(errors="replace").encode(), reply, data, headers)


class Connection(NamedTuple):
    """A connection, and JetStream by it."""

    client: Client
    stream: JetStreamContext


async def _quietly(awaited: Awaitable[None]) -> None:
    with suppress(*FAILURES):
        await awaited


def _first(error: BaseException) -> BaseException:
    """Return what a group of errors began with."""
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    return error


@dataclass
class _Asked:
    """What a thread waits for: ``done`` is released when the ``task`` has ended.

    Beside asyncio.run_coroutine_threadsafe this wakes the loop once for all who ask at the same time.
    """

    ask: Callable[[], Coroutine[Any, Any, Any]]
    task: asyncio.Task[Any] | None = None
    done: Lock = field(default_factory=locked)

    def end(self, _: asyncio.Task[Any]) -> None:
        """Let the thread go on."""
        self.done.release()


class Away(Exception):
    """The engine does not answer now, or refuses; the text says why."""


class Refused(Exception):
    """A session found what time will not mend; the text says what, and what to do."""


@dataclass(frozen=True)
class Access:
    """Where the servers are, and what is shown to them.

    Args:
        servers: URLs such as nats://a:4222.
        credentials: a file with an NKey's seed, a user's JWT with its seed, or USER:PASSWORD; "": nothing is asked.
        ca: a PEM file of who has signed the servers' certificates; "": the system's list.
    """

    servers: tuple[str, ...]
    credentials: str = ""
    ca: str = ""

    @property
    def replicas(self) -> int:
        """Of what is kept: three where there are so many servers, which outlives the loss of one."""
        return 3 if len(self.servers) >= 3 else 1

    def options(self) -> dict[str, Any]:
        """Return what nats.connect takes; raises OSError where a file cannot be read."""
        found: dict[str, Any] = {}
        if any(server.startswith("tls:") for server in self.servers) or self.ca:
            found["tls"] = ssl.create_default_context(cafile=self.ca or None)
        if self.credentials:
            said = Path(self.credentials).read_text("utf-8").strip()
            if "BEGIN NATS USER JWT" in said:
                found["user_credentials"] = self.credentials
            elif ":" in said:
                found["user"], _, found["password"] = said.partition(":")
            else:
                found["nkeys_seed_str"] = said
        return found


class Engine:
    """Keeps a session going.

    Args:
        access: where the servers are.
        name: what the servers are told that this is.
        session: called with each new connection; runs until it fails.
    """

    def __init__(self, access: Access, name: str, session: Callable[[Connection], Coroutine[Any, Any, None]]) -> None:
        self.problem = "there was no connection to NATS yet"
        self._access = access
        self._name = name
        self._session = session
        self._runner: asyncio.Runner
        self._loop: asyncio.AbstractEventLoop
        self._thread = Thread(target=self._run, name="nats", daemon=True)
        self._was_well = self._is_closing = False
        self._well_at = -GRACE_S  # monotonic, s; when all was last found well
        self._lock = Lock()  # guards the four below
        self._asked: list[_Asked] = []  # and not yet begun
        self._waiting = 0  # calls
        self._asked_at = 0.0  # monotonic, s; the first of those that wait
        self._answered_at = 0.0  # monotonic, s; the last that was answered
        self._connection: Connection | None = None

    def start(self) -> None:
        """Begin to connect; may be called again."""
        if not self._thread.is_alive():
            self._runner = asyncio.Runner()
            self._loop = self._runner.get_loop()
            self._thread.start()

    def stop(self) -> None:
        """End the session and the connection; nothing is taken any more."""
        self._is_closing = True
        self.problem = CLOSING
        deadline = monotonic() + LIMIT_S
        while self._thread.is_alive() and monotonic() < deadline:
            with suppress(RuntimeError):  # the loop has just ended
                self.soon(self._cancel)
            self._thread.join(2 * CLOSE_S)

    def _cancel(self) -> None:
        """Cancel all that runs: a group of tasks hands on the first cancellation alone, and a task may swallow it."""
        for task in asyncio.all_tasks(self._loop):
            task.cancel()

    def call(self, ask: Callable[[], Coroutine[Any, Any, Result]], within_s: float = LIMIT_S) -> Result:
        """Return what *ask* does in the background thread.

        Raises:
            Away: it has not ended in time, so whether it took place is unknown; or there is no hope that it would.
        """
        if self.problem:
            raise Away(self.problem)
        with self._lock:
            now = monotonic()
            if not self._waiting:
                self._asked_at = now
            if self._waiting >= WAITING and now - max(self._asked_at, self._answered_at) > ANSWER_S / 2:
                raise Away(f"{self._waiting} others wait for NATS already")
            self._waiting += 1
        try:
            return self._ask(ask, within_s)
        finally:
            with self._lock:
                self._waiting -= 1

    def _ask(self, ask: Callable[[], Coroutine[Any, Any, Result]], within_s: float) -> Result:
        asked = _Asked(ask)
        with self._lock:
            self._asked.append(asked)
            is_first = len(self._asked) == 1  # else the background thread is about to look
        try:
            if is_first:
                self.soon(self._begin)
        except RuntimeError:  # the loop has ended
            raise Away(CLOSING) from None
        is_done = asked.done.acquire(timeout=within_s)
        try:
            if not (is_done and asked.task):
                raise TimeoutError
            result: Result = asked.task.result()
        except asyncio.CancelledError:
            raise Away(CLOSING) from None
        except TimeoutError:
            why = f"NATS has not answered for {within_s:g} s"
            self._doubt(why)
            raise Away(why) from None
        except FAILURES as error:
            raise Away(explain(error)) from error
        self._answered_at = monotonic()
        return result

    def _begin(self) -> None:
        """Begin, in the background thread, what threads have asked for."""
        with self._lock:
            begun, self._asked = self._asked, []
        for asked in begun:
            asked.task = self._loop.create_task(asked.ask())
            asked.task.add_done_callback(asked.end)

    async def publish(self, subject: str, message_id: str, body: bytes) -> int:
        """Have the stream keep a message, once, and return its position; for ``call``.

        It is tried until it is answered, as servers may be about to elect a leader: by its id it is kept once.
        """
        headers = {"Nats-Msg-Id": message_id}
        deadline = monotonic() + LIMIT_S
        while monotonic() < deadline:
            try:
                if self._connection is None:
                    raise ConnectionError("there is no connection to NATS")
                ack = await self._connection.stream.publish(subject, body, timeout=ANSWER_S, headers=headers)
                return int(ack.seq)
            except asyncio.CancelledError:  # of the request, as the connection has ended; or of this very call
                if (task := asyncio.current_task()) and task.cancelling():
                    raise
            except APIError as error:
                if error.code != 503 and error.err_code != REPEAT_IN_PROCESS:
                    raise
            except AGAIN:
                pass
            await asyncio.sleep(AGAIN_S[0])
        raise TimeoutError(f"not answered within {LIMIT_S:g} s")

    async def with_stream(self, do: Callable[[JetStreamContext], Coroutine[Any, Any, Result]]) -> Result:
        """Return what *do* does with the connection; for ``call``."""
        if self._connection is None:
            raise ConnectionError("there is no connection to NATS")
        return await do(self._connection.stream)

    def soon(self, do: Callable[[], object]) -> None:
        """Call *do* in the background thread."""
        self._loop.call_soon_threadsafe(do)

    def _doubt(self, why: str) -> None:
        """Take nothing more until all is found well, and look for another server."""
        self._say(why)
        with suppress(RuntimeError):  # the loop has ended
            self.soon(self._disconnect)

    def _disconnect(self) -> None:
        if self._connection:
            closing = asyncio.wait_for(self._connection.client.close(), CLOSE_S)
            self._closing = self._loop.create_task(_quietly(closing))

    def _say(self, why: str) -> None:
        if self._is_closing:
            return
        if why != self.problem:
            log.error("The journal cannot take samples: %s", why)
        self.problem = why

    def well(self) -> None:
        """Note that a session has found all well."""
        self._well_at = monotonic()
        if self._is_closing or not self.problem:
            return
        if self._was_well:
            log.warning("The journal takes samples again")
        self._was_well = True
        self.problem = ""

    def ill(self, error: BaseException) -> None:
        """Note that something is not: at once what time will not mend, else where nothing was answered for GRACE_S."""
        error = _first(error)
        if isinstance(error, Refused):
            self._say(str(error))
        elif monotonic() - max(self._well_at, self._answered_at) > GRACE_S:
            self._say(f"NATS is away: {explain(error)}")

    # ---- in the background thread ----

    def _run(self) -> None:
        with self._runner, suppress(asyncio.CancelledError):
            self._runner.run(self._live())

    async def _live(self) -> None:
        servers = list(self._access.servers)
        random.shuffle(servers)
        wait_s = AGAIN_S[0]
        while True:
            servers.append(server := servers.pop(0))
            started = monotonic()
            try:
                await self._connect_and_go(server)
            except* (*FAILURES, Refused) as error:
                self.ill(error)
            except* Exception as error:
                log.exception("The session with NATS failed; it is begun anew")
                self.ill(error)
            wait_s = AGAIN_S[0] if monotonic() - started > 2 * AGAIN_S[1] else min(2 * wait_s, AGAIN_S[1])
            await asyncio.sleep(wait_s * random.uniform(0.5, 1))  # noqa: S311

    async def _connect_and_go(self, server: str) -> None:
        closed = asyncio.Event()

        async def note_closed() -> None:
            closed.set()

        async def ignore(error: Exception) -> None:
            log.debug("NATS: %s", error)

        client = Lenient()
        try:
            await client.connect(
                server,
                name=self._name,
                allow_reconnect=False,
                connect_timeout=CONNECT_S,
                ping_interval=PING_S,
                max_outstanding_pings=2,
                closed_cb=note_closed,
                disconnected_cb=note_closed,
                error_cb=ignore,
                **self._access.options(),
            )
            self._connection = Connection(client, client.jetstream(timeout=ANSWER_S))
            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(self._until(closed))
                tasks.create_task(self._session(self._connection))
        finally:
            self._connection = None
            with suppress(*FAILURES):
                async with asyncio.timeout(CLOSE_S):
                    await client.close()

    async def _until(self, closed: asyncio.Event) -> None:
        await closed.wait()
        raise ConnectionError("the connection has ended")
