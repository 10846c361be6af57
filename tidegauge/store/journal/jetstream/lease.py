"""A lease: of all hosts one samples, and another when that one dies."""

import asyncio
import logging
from collections.abc import Callable
from contextlib import suppress

from nats.js import JetStreamContext
from nats.js.errors import KeyNotFoundError, KeyWrongLastSequenceError, NotFoundError
from nats.js.kv import KeyValue

TTL_S = 5.0  # after which NATS forgets a holder that does not renew it
RENEW_S = 1.0
SAFE_S = 1.0  # before that a holder that cannot renew it has ended
KEY = "samplers"

log = logging.getLogger(__name__)


class Lease:
    """Held by one process of all, or by none.

    Args:
        bucket: of NATS's key-value store; made if it is not there.
        replicas: of it.
        me: the name of this process, unlike any other.
        may: asked whether this process may hold it now.
    """

    def __init__(self, bucket: str, replicas: int, me: str, may: Callable[[], bool]) -> None:
        self.is_held = False
        self._competes = asyncio.Event()
        self._is_given_up = False
        self._bucket = bucket
        self._replicas = replicas
        self._me = me
        self._may = may
        self._renewed = 0.0  # when the newest renewal was sent that was answered, by the loop's clock
        self._guard: asyncio.Task[None]

    @property
    def is_competing(self) -> bool:
        """Whether this process has said that it is able to hold it."""
        return self._competes.is_set()

    def compete(self) -> None:
        """Say that this process is able to hold it."""
        self._competes.set()

    async def hold(self, jetstream: JetStreamContext) -> None:
        """Try to hold it, for as long as the connection does; it is still held for TTL_S - SAFE_S after that."""
        await self._competes.wait()
        loop = asyncio.get_running_loop()
        store = await self._open(jetstream)
        revision = await self._mine(store)
        while not self._is_given_up:
            if not self._may():  # what is not renewed ends in time
                await asyncio.sleep(RENEW_S)
                continue
            sent = loop.time()
            try:
                me = self._me.encode()
                revision = await (store.update(KEY, me, last=revision) if revision else store.create(KEY, me))
                self._renewed = sent
                if not self._is_given_up:
                    self._set(held=True)
            except KeyWrongLastSequenceError:
                revision = await self._mine(store)
                if not revision:
                    self._set(held=False)
            await asyncio.sleep(RENEW_S)

    async def give_up(self, jetstream: JetStreamContext) -> None:
        """Let another have it at once, for good."""
        self._is_given_up = True
        self._set(held=False)
        store = await self._open(jetstream)
        while revision := await self._mine(store):
            with suppress(KeyWrongLastSequenceError):  # one more renewal was under way
                await store.delete(KEY, last=revision)

    async def _open(self, jetstream: JetStreamContext) -> KeyValue:
        try:
            return await jetstream.key_value(self._bucket)
        except NotFoundError:
            return await jetstream.create_key_value(bucket=self._bucket, ttl=TTL_S, replicas=self._replicas)

    async def _mine(self, store: KeyValue) -> int:
        """Return the revision by which this process holds it, 0 if it does not."""
        with suppress(KeyNotFoundError):
            entry = await store.get(KEY)
            return int(entry.revision or 0) if entry.value == self._me.encode() else 0
        return 0

    def _set(self, *, held: bool) -> None:
        if held == self.is_held:
            return
        self.is_held = held
        log.warning("Samplers run here" if held else "Samplers run here no more")
        if held:
            self._guard = asyncio.create_task(self._end_in_time())
        elif self._guard is not asyncio.current_task():
            self._guard.cancel()

    async def _end_in_time(self) -> None:
        """End before NATS gives the lease to another, also where there is no connection any more."""
        loop = asyncio.get_running_loop()
        while (left := self._renewed + TTL_S - SAFE_S - loop.time()) > 0:
            await asyncio.sleep(left)
        self._set(held=False)
