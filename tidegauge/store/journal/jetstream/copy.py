"""What this host has of the stream: an SQLite file that follows it, for history and for the windows at a start."""

import logging
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path

import apsw

from tidegauge.errors import BadSample
from tidegauge.store.journal import Follower, Stamped
from tidegauge.store.journal.jetstream import message
from tidegauge.store.journal.jetstream.message import CONTROL, PUSH, SEQS_PER_MESSAGE, Message
from tidegauge.store.journal.sqlite import files, series_index, windows
from tidegauge.store.journal.sqlite.database import connect_reader
from tidegauge.store.journal.sqlite.journal import SqliteJournal
from tidegauge.store.journal.sqlite.retention import Retention
from tidegauge.store.journal.sqlite.rows import Numbered

log = logging.getLogger(__name__)


class Copy(SqliteJournal):
    """A journal whose samples come with their numbers. What of it is lost or damaged is taken from the stream again.

    Args:
        path: the file.
        retention: what is kept.
        epoch: of the stream; "" while that is not known: whatever the file has.
    """

    synchronous = "NORMAL"  # the stream has what a power cut takes

    def __init__(self, path: Path, retention: Retention, epoch: str) -> None:
        super().__init__(path, retention)
        self.epoch = epoch
        self.position = 0  # of the last message that was taken
        self.left_out = 0  # messages that cannot be used, and samples that the cap refuses
        self._follower: Follower

    @property
    def last_seq(self) -> int:
        """The newest sequence number that was kept."""
        return self._writer.last_seq

    def _begin(self, follower: Follower, *, was_there: bool) -> int:  # noqa: ARG002
        """Read where the file stands, and fill the follower; see SqliteJournal."""
        writer = self._writer
        epoch, newest = writer.begin(follower)
        db = writer.connection()
        if epoch and self.epoch not in {"", epoch}:
            raise apsw.CorruptError(f"it is a copy of the stream's epoch {epoch}")
        series_index.extend(db)
        samples, damaged, unread_to = windows.read_newest(db)
        if damaged or db.execute("SELECT count(*) FROM damage").get:
            raise apsw.CorruptError("a part of it is damaged")
        self.epoch = self.epoch or epoch
        db.execute("UPDATE journal SET epoch = ?", (self.epoch,))
        self._mark.promise(epoch=self.epoch, ceiling=newest, newest=newest, clean=False)
        writer.last_seq = newest
        self.position = message.position(newest)
        self._follower = follower
        follower.fill(windows.contents(db, writer, follower.size, samples, unread_to, ()), writer.units())
        return unread_to

    def _replace_damaged(self, why: str) -> bool:
        """Set the file aside; the stream has what it had."""
        self._writer.disconnect()
        aside = files.set_aside(self.path, "replaced")
        log.warning("The copy %s was set aside as %s: %s", self.path, aside.name, why)
        return False

    def agrees(self, one: Message) -> bool:
        """Tell whether the message at this position is the one that was taken, as far as its samples are still here."""
        query = "SELECT time, value FROM sample WHERE seq >= ? AND seq < ? ORDER BY seq"
        with closing(connect_reader(self.path)) as db:
            here = list(db.execute(query, (one.position * SEQS_PER_MESSAGE, (one.position + 1) * SEQS_PER_MESSAGE)))
        try:
            there = [(time, value) for _, time, value in message.samples(one)]
        except BadSample:
            there = []
        return not here or here == there

    def take(self, messages: Sequence[Message]) -> None:
        """Keep what *messages* bring; returns when it is kept and delivered. They may come again.

        Raises:
            JournalUnwritable: not all was kept.
        """
        self._group.call(lambda: self._take([one for one in messages if one.position > self.position]))

    def _take(self, messages: Sequence[Message]) -> None:
        batches: list[Numbered] = []
        if messages and messages[0].position > self.position + 1:  # the stream has it no more
            self._writer.leave_out(messages[0].position * SEQS_PER_MESSAGE - 1)
        for one in messages:
            try:
                if one.subject == CONTROL:
                    self._keep(batches, one.position - 1)
                    batches = []
                    control = message.control(one)
                    self._writer.forget(control.forget)
                    self._writer.keep_units(control.units)
                elif samples := self._allowed(one):
                    batches.append(Numbered(one.position * SEQS_PER_MESSAGE, samples, at=one.time))
            except BadSample as error:
                self._leave_out(error.what)
        if messages:
            self._keep(batches, messages[-1].position)

    def _keep(self, batches: Sequence[Numbered], position: int) -> None:
        self._writer.keep(batches)
        self.position = position

    def _allowed(self, one: Message) -> list[Stamped]:
        """Return the samples of a message; the cap on series was asked before a host has sent it, not so by others."""
        samples = message.samples(one)
        if one.subject.startswith(PUSH) and self._follower.declare([samples[0][0]]):
            raise BadSample(f"{samples[0][0]!r} would be one more than TIDEGAUGE_MAX_SERIES.", "Raise it.")
        return samples

    def _leave_out(self, what: str) -> None:
        if not self.left_out:
            log.warning("Left out of the stream, as will be all that is like it: %s", what)
        self.left_out += 1
