"""A connection to NATS, in a background thread of its own.

While there is one, a *session* runs. When either fails, both are made again, at another server: there is no state but
what the session finds out.
"""

import asyncio
import logging
import random
from collections.abc import Awaitable, Callable, Coroutine
from contextlib import suppress
from threading import Thread
from time import monotonic
from typing import Any, NamedTuple, TypeVar

from nats.aio.client import Client
from nats.errors import ConnectionClosedError, NoRespondersError
from nats.errors import Error as NatsError
from nats.js import JetStreamContext
from nats.js.errors import APIError, NoStreamResponseError

from tidegauge.errors import explain
from tidegauge.store.journal.jetstream.access import Access
from tidegauge.store.journal.jetstream.availability import CLOSING, Availability, Refused
from tidegauge.store.journal.jetstream.calls import ANSWER_S, LIMIT_S, Calls, Ended, Unavailable

CONNECT_S = 2
CLOSE_S = 0.5
PING_S = 2  # a server that does not answer two of them is gone
AGAIN_S = (0.1, 2.0)  # between two tries to connect: at first, and at most
REPEAT_IN_PROCESS = 10158  # NATS' code for: a message of that id is being kept just now
Result = TypeVar("Result")
AGAIN = (OSError, TimeoutError, NoRespondersError, NoStreamResponseError, ConnectionClosedError)  # what time may mend
FAILURES = (OSError, TimeoutError, NatsError, APIError, asyncio.TimeoutError)

log = logging.getLogger(__name__)


class LenientClient(Client):
    """A client that goes on where a subject is no UTF-8, as a device's may be."""

    async def _process_msg(self, sid: int, subject: bytes, reply: bytes, data: bytes, headers: bytes) -> None:
        await super()._process_msg(sid, subject.decode(errors="replace").encode(), reply, data, headers)


class Server(NamedTuple):
    """The server that is connected to, and JetStream by it."""

    client: Client
    jetstream: JetStreamContext


Session = Callable[[Server], Coroutine[Any, Any, None]]


class Connection:
    """Keeps a session going, and gives other threads calls that end in time.

    Args:
        access: where the servers are.
        name: how this client calls itself to the servers.
        session: called with each server that is connected to; runs until it fails.
        availability: learns of failures and answers, and says whether a call is worth trying.
    """

    def __init__(self, access: Access, name: str, session: Session, availability: Availability) -> None:
        self._access = access
        self._name = name
        self._session = session
        self._availability = availability
        self._runner: asyncio.Runner
        self._calls: Calls
        self._thread = Thread(target=self._run, name="nats", daemon=True)
        self._server: Server | None = None

    def start(self) -> None:
        """Begin to connect; may be called again."""
        if not self._thread.is_alive():
            self._runner = asyncio.Runner()
            self._calls = Calls(self._runner.get_loop())
            self._thread.start()

    def stop(self) -> None:
        """End the session and the connection; nothing is taken any more."""
        self._availability.close()
        deadline = monotonic() + LIMIT_S
        while self._thread.is_alive() and monotonic() < deadline:
            with suppress(Ended):
                self.soon(self._cancel)
            self._thread.join(2 * CLOSE_S)

    def _cancel(self) -> None:
        """Cancel all that runs: a group of tasks hands on the first cancellation alone, and a task may swallow it."""
        for task in asyncio.all_tasks(self._runner.get_loop()):
            task.cancel()

    # ---- for other threads ----

    def soon(self, do: Callable[[], object]) -> None:
        """Call *do* in the background thread; raises Ended."""
        self._calls.soon(do)

    def call(self, ask: Callable[[], Coroutine[Any, Any, Result]], within_s: float = LIMIT_S) -> Result:
        """Return what *ask* does in the background thread.

        Raises:
            Unavailable: it has not ended in time, so whether it took place is unknown; or there is no hope that it
                would.
        """
        if self._availability.problem:
            raise Unavailable(self._availability.problem)
        try:
            result = self._calls.call(ask, within_s)
        except Ended:
            raise Unavailable(CLOSING) from None
        except TimeoutError:
            why = f"NATS has not answered for {within_s:g} s"
            self._look_elsewhere(why)
            raise Unavailable(why) from None
        except FAILURES as error:
            raise Unavailable(explain(error)) from error
        self._availability.note_answer()
        return result

    def _look_elsewhere(self, why: str) -> None:
        """Take nothing more until all is found well, and connect to another server."""
        self._availability.report(why)
        with suppress(Ended):
            self.soon(self._disconnect)

    def _disconnect(self) -> None:
        if self._server:
            closing = asyncio.wait_for(self._server.client.close(), CLOSE_S)
            self._closing = asyncio.get_running_loop().create_task(_quietly(closing))

    # ---- for ``call``: in the background thread ----

    async def publish(self, subject: str, message_id: str, body: bytes) -> int:
        """Have the stream keep a message, once, and return its position.

        It is tried until it is answered, as servers may be about to elect a leader: by its id it is kept once.
        """
        headers = {"Nats-Msg-Id": message_id}
        deadline = monotonic() + LIMIT_S
        while monotonic() < deadline:
            try:
                publish = self._connected().jetstream.publish
                ack = await publish(subject, body, timeout=ANSWER_S, headers=headers)
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

    async def with_jetstream(self, do: Callable[[JetStreamContext], Coroutine[Any, Any, Result]]) -> Result:
        """Return what *do* does with the server that is connected to."""
        return await do(self._connected().jetstream)

    def _connected(self) -> Server:
        if self._server is None:
            raise ConnectionError("there is no connection to NATS")
        return self._server

    # ---- the background thread ----

    def _run(self) -> None:
        with self._runner, suppress(asyncio.CancelledError):
            self._runner.run(self._keep_connected())

    async def _keep_connected(self) -> None:
        servers = list(self._access.servers)
        random.shuffle(servers)
        wait_s = AGAIN_S[0]
        while True:
            servers.append(server := servers.pop(0))
            started = monotonic()
            try:
                await self._connect_and_go(server)
            except* (*FAILURES, Refused) as error:
                self._availability.note_failure(error)
            except* Exception as error:
                log.exception("The session with NATS failed; it starts again")
                self._availability.note_failure(error)
            wait_s = AGAIN_S[0] if monotonic() - started > 2 * AGAIN_S[1] else min(2 * wait_s, AGAIN_S[1])
            await asyncio.sleep(wait_s * random.uniform(0.5, 1))  # noqa: S311

    async def _connect_and_go(self, url: str) -> None:
        closed = asyncio.Event()

        async def note_closed() -> None:
            closed.set()

        async def ignore(error: Exception) -> None:
            log.debug("NATS: %s", error)

        client = LenientClient()
        try:
            await client.connect(
                url,
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
            self._server = Server(client, client.jetstream(timeout=ANSWER_S))
            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(_until(closed))
                tasks.create_task(self._session(self._server))
        finally:
            self._server = None
            with suppress(*FAILURES):
                async with asyncio.timeout(CLOSE_S):
                    await client.close()


async def _until(closed: asyncio.Event) -> None:
    await closed.wait()
    raise ConnectionError("the connection has ended")


async def _quietly(awaited: Awaitable[None]) -> None:
    with suppress(*FAILURES):
        await awaited
