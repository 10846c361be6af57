"""Replication: this host's copy takes the stream's messages in order, and others learn how far it is."""

import asyncio
import logging
import sys
from contextlib import suppress
from time import monotonic

from tidegauge.errors import JournalUnwritable
from tidegauge.store.journal.jetstream.availability import Refused
from tidegauge.store.journal.jetstream.connection import Server
from tidegauge.store.journal.jetstream.consumer import follow
from tidegauge.store.journal.jetstream.copy import Copy
from tidegauge.store.journal.jetstream.message import Message

TAKE_S = 0.002  # between the beginnings of two takes: what comes meanwhile is taken together
MANY = 1_000  # messages, by which a host is behind
SILENT_S = 5.0  # after which it is said that nothing is heard of the stream
RENEW = "On order: `flask --app wsgi journal renew` begins a new epoch; then reload every host."

log = logging.getLogger(__name__)


class Replication:
    """Brings what lies in the stream into the copy; in the connection's thread, but for ``behind``.

    Args:
        stream: its name.
        copy: takes the messages, once ``begin`` was called.
    """

    def __init__(self, stream: str, copy: Copy) -> None:
        self.messages_behind = 0
        self.refusal = ""  # why this stream is not followed any more
        self._stream = stream
        self._copy = copy
        self._is_open = asyncio.Event()
        self._is_following = False
        self._has_caught_up = False
        self._heard_at = 0.0  # monotonic, s; of the stream
        self._waiting: list[tuple[int, asyncio.Future[None]]] = []  # for the copy to have taken a position

    @property
    def behind(self) -> str:
        """What this process has yet to take before it shows what others show, "" once it has."""
        if not self._has_caught_up:
            return f"it is catching up, {self.messages_behind} messages are to come"
        silent_s = monotonic() - self._heard_at
        return f"it has heard nothing of the stream for {silent_s:.0f} s" if silent_s > SILENT_S else ""

    def begin(self) -> None:
        """Take messages from now on: the copy is open."""
        self._is_open.set()

    async def run(self, server: Server) -> None:
        """Hand every message after the copy's position to the copy, in order; ends where the connection does."""
        await self._is_open.wait()
        try:
            await self._take_all(server)
        finally:
            self._is_following = False
            self._release()

    async def _take_all(self, server: Server) -> None:
        # From the last message on that was taken: whether it is still the same.
        async for messages, behind in follow(server, self._stream, max(1, self._copy.position)):
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
            self.messages_behind = behind
            self._has_caught_up = not behind or (self._has_caught_up and behind < MANY)
            self._release()
            if messages:
                await asyncio.sleep(began + TAKE_S - monotonic())

    async def _compare(self, last: Message) -> None:
        if not await asyncio.to_thread(self._copy.agrees, last):
            self.refusal = (
                f"the stream {self._stream!r} has another message {last.position} than was taken from it: an older one"
                f" has taken its place. {RENEW}"
            )
            raise Refused(self.refusal)

    async def wait_for(self, position: int, within_s: float) -> None:
        """Wait until this host shows what lies at *position*, for a moment: a pusher may read here at once."""
        if self._is_following and self._copy.position < position:
            shown = asyncio.get_running_loop().create_future()
            self._waiting.append((position, shown))
            with suppress(TimeoutError):
                async with asyncio.timeout(within_s):
                    await shown

    def _release(self) -> None:
        """Let those go on that wait for what the copy has; all of them where nothing is followed any more."""
        there = self._copy.position if self._is_following else sys.maxsize
        waiting, self._waiting = self._waiting, []
        for position, shown in waiting:
            if position > there:
                self._waiting.append((position, shown))
            elif not shown.done():
                shown.set_result(None)
