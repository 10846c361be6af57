"""The one connection that writes: commits groups of batches, leaves out repeats, removes what is past its retention."""

import logging
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from itertools import chain
from pathlib import Path

import apsw

from tidegauge.errors import JournalUnwritable, explain
from tidegauge.store.journal import Commits, Follower, Stamped
from tidegauge.store.journal.sqlite.age import AgeClock
from tidegauge.store.journal.sqlite.database import connect, insert, transaction
from tidegauge.store.journal.sqlite.group_commit import Waiting
from tidegauge.store.journal.sqlite.high_water import HighWaterMark
from tidegauge.store.journal.sqlite.repeats import REQUESTS, Repeats
from tidegauge.store.journal.sqlite.retention import Retention, trim
from tidegauge.store.journal.sqlite.rows import Numbered, as_rows

# Tables whose pages and indexes are looked at when the file is opened: a bad one would only show in a later write.
SMALL = ("journal", "series", "unit", "damage", "run")

log = logging.getLogger(__name__)


class Writer:
    """Writes the file; used by one thread at a time.

    Args:
        path: the file.
        mark: reserves the numbers, and learns the newest.
        synchronous: SQLite's setting; FULL: a commit is there after a power cut, NORMAL: all but the newest are.
    """

    def __init__(self, path: Path, mark: HighWaterMark, synchronous: str) -> None:
        self.problem = ""
        self.samples = 0  # kept now
        self.horizon = 0  # the newest seq that is no longer kept
        self.last_seq = 0  # the newest that was given
        self.ids: dict[str, int] = {}
        self.commits = Commits()
        self._path = path
        self._mark = mark
        self._synchronous = synchronous
        self._clock = AgeClock(mark)
        self._db: apsw.Connection | None = None
        self._repeats = Repeats()
        self._follower: Follower

    def connection(self) -> apsw.Connection:
        """Return the connection; made again where an error has ended the last one."""
        if self._db is None:
            self._db = connect(self._path)
            self._db.pragma("synchronous", self._synchronous)
        return self._db

    def disconnect(self) -> None:
        """Close the connection."""
        if self._db is not None:
            with suppress(apsw.Error):
                self._db.close()
            self._db = None

    def begin(self, follower: Follower) -> tuple[str, int]:
        """Read where the file stands; returns its epoch ("": a new file) and its newest sequence number.

        Args:
            follower: learns of every batch from now on, before and after it is committed.
        """
        self._follower = follower
        db = self.connection()
        for table in SMALL:
            if (report := db.pragma("integrity_check", table)) != "ok":
                raise apsw.CorruptError(report)
        [(epoch, self.samples, self.horizon)] = db.execute("SELECT epoch, samples, horizon FROM journal")
        newest_two = list(db.execute("SELECT last_seq, at FROM batch ORDER BY last_seq DESC LIMIT 2"))
        newest = newest_two[0][0] if newest_two else 0
        # Of two times of arrival the earlier: one may be damaged, and by a late one all that is kept would be too old.
        self._clock.begin(min((at for _, at in newest_two if isinstance(at, int)), default=0))
        self.ids = dict(db.execute("SELECT name, id FROM series WHERE name IS NOT NULL"))
        query = "SELECT push, last_seq FROM batch WHERE push IS NOT NULL ORDER BY last_seq DESC LIMIT ?"
        self._repeats = Repeats(reversed(list(db.execute(query, (REQUESTS,)))))
        return epoch, max(newest, self.horizon)

    def units(self) -> dict[str, str]:
        """Return the units in the file, by series."""
        return dict(self.connection().execute("SELECT name, unit FROM unit"))

    def write(self, group: Sequence[Waiting]) -> None:
        """Commit *group*, and say of each how it went."""
        try:
            self._commit(group)
        except Exception as error:  # noqa: BLE001 - of the disk, or of ours: no answer of success without a commit
            self._fail(error)
            for waiting in group:
                waiting.error = JournalUnwritable(self.problem)
        else:
            if self.problem:
                log.warning("The journal is written again")
            self.problem = ""

    def keep(self, batches: Sequence[Numbered]) -> None:
        """Keep batches that have their numbers, above all that are kept.

        Raises:
            JournalUnwritable: nothing was kept.
        """
        try:
            self._resume()
            # What failed after its commit may come again.
            self._store([batch for batch in batches if batch.first > self.last_seq])
        except Exception as error:
            self._fail(error)
            raise JournalUnwritable(self.problem) from error
        self.problem = ""

    def _fail(self, error: Exception) -> None:
        if not self.problem:
            log.exception("The journal cannot be written; it goes on trying")
        self.problem = explain(error)
        if not isinstance(error, apsw.FullError):  # rolled back; a new connection would say "disk I/O error"
            self.disconnect()

    def _resume(self) -> None:
        """After an error, open the file again, and take over what a commit has left in it that failed in its sync.

        Whoever sent that got the answer that it is not kept: a repeat is then kept already.
        """
        if self._db is not None:
            return
        _, newest = self.begin(self._follower)
        self._follower.note_units(self.units())
        if newest <= self.last_seq:
            return
        db = self.connection()
        # Into the file: of pages that were not synced, the log's next sync may say nothing.
        db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        self._mark.note(newest)
        names = {number: name for name, number in self.ids.items()}
        query = "SELECT seq, series, time, value FROM sample WHERE seq > ? ORDER BY seq"
        rows = db.execute(query, (self.last_seq,))
        self._follower.deliver([(seq, [(names[number], time, value)]) for seq, number, time, value in rows])
        self.last_seq = newest

    def _commit(self, group: Sequence[Waiting]) -> None:
        started = time.monotonic()
        self._resume()
        fresh = self._repeats.without(group)
        batches = self._follower.admit([one.batch for one in fresh])
        self._mark.reserve(self.last_seq + sum(map(len, batches)))
        numbered, end = [], self.last_seq
        for one, batch in zip(fresh, batches, strict=True):
            if batch:
                numbered.append(Numbered(end + 1, batch, one.push))
            end += len(batch)
            one.last = end
        self._store(numbered)
        self._repeats.remember(group, fresh)
        self.commits.add(time.monotonic() - started)

    def _store(self, batches: Sequence[Numbered]) -> None:
        """Write *batches* in one transaction, and deliver them."""
        new_ids = self._new_ids(chain.from_iterable(batch.samples for batch in batches))
        rows, sums = as_rows(batches, self.ids | new_ids if new_ids else self.ids)
        now = self._clock.now_ms()
        records = [
            (one.first + len(one.samples) - 1, one.first, one.at or now, total, one.push)
            for one, total in zip(batches, sums, strict=True)
        ]
        db = self.connection()
        with transaction(db):
            insert(db, "series", [(number, name) for name, number in new_ids.items()])
            insert(db, "sample", rows)
            insert(db, "batch", records)
            db.execute("UPDATE journal SET samples = samples + ?", (len(rows),))
        self.ids |= new_ids
        self.samples += len(rows)
        if rows:  # after a crash, the numbers below were left out: they are not in the file
            self.last_seq = rows[-1][0]
        self._follower.deliver([(batch.first, batch.samples) for batch in batches])
        if rows:
            self._mark.note(self.last_seq)

    def _new_ids(self, samples: Iterable[Stamped]) -> dict[str, int]:
        names = dict.fromkeys(name for name, _, _ in samples if name not in self.ids)
        if not names:
            return {}
        highest = self.connection().execute("SELECT coalesce(max(id), 0) FROM series").get
        return {name: number for number, name in enumerate(names, highest + 1)}

    def forget(self, names: Sequence[str]) -> None:
        """Take *names* from their series: the samples cannot be reached any more, and go with their age.

        Raises:
            JournalUnwritable: nothing was changed.
        """
        known = [(name,) for name in names if name in self.ids]
        with self._change() as db:
            db.executemany("UPDATE series SET name = NULL WHERE name = ?", known)
            db.executemany("DELETE FROM unit WHERE name = ?", known)
        for (name,) in known:
            del self.ids[name]
        self._follower.forget(names)

    def keep_units(self, units: Mapping[str, str]) -> None:
        """Keep *units*, by series.

        Raises:
            JournalUnwritable: nothing was changed.
        """
        with self._change() as db:
            db.executemany("INSERT OR REPLACE INTO unit (name, unit) VALUES (?, ?)", units.items())
        self._follower.note_units(units)

    @contextmanager
    def _change(self) -> Iterator[apsw.Connection]:
        try:
            self._resume()
            db = self.connection()
            with transaction(db):
                yield db
        except (apsw.Error, OSError) as error:
            self._fail(error)
            raise JournalUnwritable(self.problem) from error

    def leave_out(self, to: int) -> None:
        """Note that nothing up to the number *to* can be had any more; raises JournalUnwritable."""
        with self._change() as db:
            db.execute("UPDATE journal SET horizon = max(horizon, ?)", (to,))
        self.horizon = max(self.horizon, to)

    def trim(self, retention: Retention) -> None:
        """Remove some of what is past *retention*."""
        removed, to = trim(self.connection(), retention, self.samples, self._clock.now_ms())
        self.samples -= removed
        self.horizon = max(self.horizon, to)
