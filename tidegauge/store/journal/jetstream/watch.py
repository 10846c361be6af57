"""The watch over the stream: whether it is still the one that was there."""

import asyncio
from threading import Event

from tidegauge.store.journal.jetstream import streams
from tidegauge.store.journal.jetstream.availability import Availability, Refused
from tidegauge.store.journal.jetstream.connection import FAILURES, Server
from tidegauge.store.journal.jetstream.copy import Copy
from tidegauge.store.journal.jetstream.message import PAYLOAD
from tidegauge.store.journal.jetstream.replication import RENEW, Replication
from tidegauge.store.journal.sqlite.retention import Retention

WATCH_S = 1.0
FAILURES_IN_A_ROW = 3  # of looks, each of which takes 2 s; then another server is asked


class Watch:
    """Looks at the stream every second, makes it if there never was one, and says what it found.

    Args:
        stream: its name.
        replicas: of a stream that is made.
        retention: its days are those of a stream that is made.
        copy: says which stream was there, and how far it went.
        replication: may have found out that it is another one.
        availability: learns whether all is well.
    """

    def __init__(
        self,
        stream: str,
        replicas: int,
        retention: Retention,
        copy: Copy,
        replication: Replication,
        availability: Availability,
    ) -> None:
        self.epoch = ""  # of the stream, as it was seen last
        self.found = Event()
        self._stream = stream
        self._replicas = replicas
        self._retention = retention
        self._copy = copy
        self._replication = replication
        self._availability = availability
        self._had = 0  # the position of the copy at the last look

    async def run(self, server: Server, is_known: asyncio.Event) -> None:
        """Look again and again; ends where nothing answers.

        Args:
            is_known: set once it is the stream that was there.
        """
        is_noted, failures = False, 0
        while failures < FAILURES_IN_A_ROW:
            try:
                self.epoch = await self._look(server)
                if not is_noted:
                    await streams.note_existence(server.jetstream, self._stream, self._replicas, self.epoch)
                    is_noted = True
                self.found.set()
                is_known.set()
                self._availability.note_well()
                failures = 0
            except FAILURES as error:
                failures += 1
                self._availability.note_failure(error)
            except Refused as error:
                self._availability.note_failure(error)
            await asyncio.sleep(WATCH_S)
        raise ConnectionError("this server does not answer")

    async def _look(self, server: Server) -> str:
        """Return the epoch of the stream, which is made if there never was one.

        Raises:
            Refused: it is not the one that was there; or the server takes no message as large as ours.
        """
        if self._replication.refusal:
            raise Refused(self._replication.refusal)
        if (most := server.client.max_payload) < PAYLOAD:
            raise Refused(f"NATS takes {most} bytes a message: set its max_payload to {PAYLOAD} or more")
        # What a follower has sent just now, the leader may not have applied yet.
        had, self._had = self._had, self._copy.position
        info = await streams.find(server.jetstream, self._stream)
        if info is None:
            if self._copy.epoch or await streams.existed_before(server.jetstream, self._stream):
                raise Refused(f"the stream {self._stream!r} is gone, and nothing is made in its place. {RENEW}")
            info = await streams.make(server.jetstream, self._stream, self._replicas, self._retention)
        epoch = streams.epoch(info)
        if not epoch:
            raise Refused(f"the stream {self._stream!r} was not made by Tidegauge: name another in TIDEGAUGE_JOURNAL")
        if self._copy.epoch not in {"", epoch}:
            raise Refused(
                f"the stream {self._stream!r} has the epoch {epoch}, this process {self._copy.epoch}: reload it"
            )
        if info.state.last_seq < had:
            raise Refused(
                f"the stream {self._stream!r} ends at message {info.state.last_seq}, and {had} was there:"
                f" an older one has taken its place. {RENEW}"
            )
        return epoch
