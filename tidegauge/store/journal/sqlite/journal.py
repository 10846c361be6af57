"""The journal in one SQLite file: its life. ``writer.py`` writes it, ``history.py`` reads it back."""

import logging
import secrets
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import IO

import apsw

from tidegauge.errors import JournalUnusable, explain
from tidegauge.store.journal import Follower, Reading
from tidegauge.store.journal.sqlite import files, series_index, windows
from tidegauge.store.journal.sqlite.damage import Damage
from tidegauge.store.journal.sqlite.group_commit import GroupCommit
from tidegauge.store.journal.sqlite.high_water import RESERVED, HighWaterMark
from tidegauge.store.journal.sqlite.history import SqliteHistory
from tidegauge.store.journal.sqlite.recovery import recover
from tidegauge.store.journal.sqlite.retention import Retention
from tidegauge.store.journal.sqlite.writer import Writer

IDLE_S = 0.25  # between two looks at retention, and between two tries to write while that fails
RECOVER_S = 20.0  # how long a start may be held up by it

log = logging.getLogger(__name__)


class SqliteJournal:
    """Keeps samples in an SQLite file (WAL, synchronous=FULL): what was appended is there after a power cut.

    Beside the file lie SQLite's own ``-wal`` and ``-shm``, and our ``-mark``, by which a lost or exchanged file is
    noticed. A file that cannot be read is set aside and what can be read of it taken over; batches that are damaged are
    left out. Neither is deleted.

    Args:
        path: the file; made, with its folder, if it is not there.
        retention: what is kept.
    """

    synchronous = "FULL"  # see Writer
    behind = ""
    is_leader = True

    def __init__(self, path: Path, retention: Retention | None = None) -> None:
        self.path = path
        self.retention = retention or Retention()
        self.epoch = ""
        self.history = SqliteHistory(path)
        self._mark = HighWaterMark(path)
        self._writer = Writer(path, self._mark, self.synchronous)
        self._group = GroupCommit(self._writer.write, self._idle, IDLE_S)
        self._damage = Damage(path)
        self.commits = self._writer.commits
        self.losses = self._damage.losses
        self._lock_file: IO[str] | None = None

    # ---- its life ----

    def open(self, follower: Follower) -> None:
        """Take the file, or set it aside and begin a new one; then start to write. See Journal."""
        try:
            self._lock_file = files.take(self.path)
            self._mark.open()
            was_there = self.path.exists()
            try:
                unread_to = self._begin(follower, was_there=was_there)
            except (apsw.NotADBError, apsw.CorruptError) as error:
                recovered = self._replace_damaged(explain(error))
                unread_to = self._begin(follower, was_there=recovered)
        except (apsw.Error, OSError) as error:
            self._release()
            raise JournalUnusable(str(self.path), explain(error)) from error
        self._group.start()
        self._damage.start_check(unread_to)

    def close(self) -> None:
        """Commit what waits, and mark the file as complete. See Journal."""
        self._group.stop()
        self._damage.stop_check()
        if self._lock_file and not self.problem:
            with suppress(apsw.Error, OSError):
                self._writer.connection().execute("PRAGMA wal_checkpoint(TRUNCATE)")
                # Not if numbers were left out, above the newest that was used.
                self._mark.promise(clean=self._writer.last_seq == self._mark.recorded.newest)
        self._release()

    def _release(self) -> None:
        self._writer.disconnect()
        self._mark.close()
        if self._lock_file:
            self._lock_file.close()
            self._lock_file = None

    def _begin(self, follower: Follower, *, was_there: bool) -> int:
        """Read where the file stands, find out whether samples were lost, reserve numbers, and fill the follower.

        Returns:
            The ``seq`` up to which nothing was read, and so not checked either.
        """
        writer, damage = self._writer, self._damage
        epoch, newest = writer.begin(follower)
        recorded = self._mark.recorded
        # A file that has just been replaced is another one, which was said.
        if not (damage.has_new_loss and recorded.epoch) and (
            lost := recorded.what_is_lost(epoch, newest, was_there=was_there)
        ):
            damage.report_loss(lost)
        writer.last_seq = newest
        if not recorded.clean or damage.has_new_loss:
            # Numbers above may have been given and lost: none is given twice.
            writer.last_seq = max(newest, recorded.ceiling) if recorded.epoch else newest + RESERVED * was_there
        db = writer.connection()
        damage.load(db)
        series_index.extend(db)  # of what an earlier release has written, 0.3 us a sample
        samples, damaged, unread_to = windows.read_newest(db)
        damage.note(db, damaged)
        contents = windows.contents(db, writer, follower.size, samples, unread_to, damage.ranges)
        follower.fill(contents, writer.units())
        if damage.has_new_loss or not epoch:
            epoch = secrets.token_hex(8)
            db.execute("UPDATE journal SET epoch = ?", (epoch,))
            db.execute("PRAGMA wal_checkpoint(TRUNCATE)")  # in the file itself: it is by this that it is known
        self.epoch = epoch
        self._mark.promise(epoch=epoch, ceiling=writer.last_seq + RESERVED, newest=newest, clean=False)
        return unread_to

    def _replace_damaged(self, why: str) -> bool:
        """Set the file aside and begin with what can be read of it; tells whether that is anything."""
        self._writer.disconnect()
        aside = files.set_aside(self.path, "damaged")
        end = recover(aside, self.path, ceiling=self._mark.recorded.ceiling, within_s=RECOVER_S)
        rest = "Nothing of it can be read" if end is None else "What could be read of it was taken over"
        if end:
            rest += f", from sample {end + 1} on; `flask --app wsgi journal recover {aside.name} TARGET` takes all"
        self._damage.report_loss(f"The journal could not be read ({why}). It was set aside as {aside.name}. {rest}.")
        return end is not None

    # ---- writing ----

    def append(self, batch: Sequence[Reading], push: bytes | None = None) -> int:
        """Keep the batch; returns after its commit. See Journal."""
        return self._group.append(batch, push)

    def forget(self, names: Sequence[str]) -> None:
        """See Journal."""
        self._group.call(lambda: self._writer.forget(names))

    def keep_units(self, units: Mapping[str, str]) -> None:
        """See Journal."""
        self._group.call(lambda: self._writer.keep_units(units))

    def _idle(self) -> None:
        if self.problem:
            self._writer.write([])  # whether it can be written again
            return
        try:
            db = self._writer.connection()
            self._damage.mend(db)
            series_index.extend(db)
            self._writer.trim(self.retention)
        except Exception:
            log.exception("The journal could not be tidied: its index, or what is past its retention")

    # ---- how it is ----

    @property
    def problem(self) -> str:
        """Why nothing can be kept now. See Journal."""
        return self._writer.problem

    def campaign(self) -> None:
        """Do nothing: no other process has the file. See Journal."""

    def resign(self) -> None:
        """Do nothing. See Journal."""

    def state(self) -> dict[str, object]:
        """See Journal."""
        return {
            "kind": "sqlite",
            "samples": self._writer.samples,
            "bytes": files.size(self.path),
            "horizon": self._writer.horizon,
            "checked": self._damage.checked,
        }
