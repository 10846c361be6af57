"""The journal in one SQLite file: its life. ``writer.py`` writes it, ``refill.py`` and ``read`` here read it."""

import logging
import secrets
import shutil
import time
from collections.abc import Mapping, Sequence
from contextlib import closing, suppress
from dataclasses import replace
from itertools import chain, islice
from pathlib import Path
from queue import Empty, SimpleQueue
from threading import Event, Thread
from typing import IO

import apsw
import numpy as np

from tidegauge.errors import JournalUnusable, explain
from tidegauge.store.file_lock import Held, lock
from tidegauge.store.journal import Follower, History, Newest, Reading, Row
from tidegauge.store.journal.sqlite import series_index as runs
from tidegauge.store.journal.sqlite import windows as refill
from tidegauge.store.journal.sqlite.checksums import as_table
from tidegauge.store.journal.sqlite.database import connect_reader
from tidegauge.store.journal.sqlite.group_commit import GroupCommit
from tidegauge.store.journal.sqlite.high_water import STEP, Mark
from tidegauge.store.journal.sqlite.recovery import recover
from tidegauge.store.journal.sqlite.retention import Retention
from tidegauge.store.journal.sqlite.scrub import Surveyed, survey
from tidegauge.store.journal.sqlite.writer import Writer
from tidegauge.store.times import now_ms

__all__ = ["Retention", "SqliteJournal"]

IDLE_S = 0.25  # between two looks at retention, and between two tries to write while that fails
CHECK_PAUSE_S = 0.01  # between two slices
CLOSE_S = 2.0  # for the check to end
ALL = 2**63 - 1  # SQLite's highest whole number
RECOVER_S = 20.0  # how long a start may be held up by it

log = logging.getLogger(__name__)


def _damage_sentence(first: int, last: int) -> str:
    return f"The samples {first} to {last} are damaged in the journal. They are left out, and not deleted."


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
    leads = True

    def __init__(self, path: Path, retention: Retention | None = None) -> None:
        self.path = path
        self.retention = retention or Retention()
        self.epoch = ""
        self.losses: list[str] = []
        self.checked = 0  # of what was not read at start, every sample up to this seq has been
        self._mark = Mark(path.with_name(f"{path.name}-mark"))
        self._writer = Writer(path, self._mark, self.synchronous)
        self._group = GroupCommit(self._writer.write, self._idle, IDLE_S)
        self._lock_file: IO[str] | None = None
        self._is_new_life = False  # samples were lost, so this needs another epoch
        self._damaged: list[tuple[int, int]] = []
        self._surveyed: SimpleQueue[Surveyed] = SimpleQueue()  # slices that need something of the writing thread
        self._check = Thread(target=self._survey, name="journal check", daemon=True)
        self._ending = Event()

    def follow(self, follower: Follower) -> None:
        """See Journal."""
        self._writer.follower = follower

    def stand(self, *, able: bool) -> None:
        """Do nothing: no other process has the file. See Journal."""

    # ---- its life ----

    def open(self, window: int) -> list[Newest]:
        """Take the file, or set it aside and begin a new one; then start to write. See Journal."""
        try:
            self._take_lock()
            self._mark.open()
            was_there = self.path.exists()
            try:
                found = self._begin(window, was_there=was_there)
            except (apsw.NotADBError, apsw.CorruptError) as error:
                recovered = self._set_aside(explain(error))
                found = self._begin(window, was_there=recovered)
        except (apsw.Error, OSError) as error:
            self._release()
            raise JournalUnusable(str(self.path), explain(error)) from error
        self._group.start()
        self._check.start()
        return found

    def close(self) -> None:
        """Commit what waits, and mark the file as complete. See Journal."""
        self._ending.set()
        self._group.stop()
        if self._check.is_alive():
            self._check.join(CLOSE_S)
        if self._lock_file and not self.problem:
            with suppress(apsw.Error, OSError):
                self._writer.connection().execute("PRAGMA wal_checkpoint(TRUNCATE)")
                # Not if numbers were left out, above the newest that was used.
                self._mark.promise(clean=self._writer.last_seq == self._mark.marked.newest)
        self._release()

    def _release(self) -> None:
        self._writer.disconnect()
        self._mark.close()
        if self._lock_file:
            self._lock_file.close()
            self._lock_file = None

    def _take_lock(self) -> None:
        try:
            self._lock_file = lock(self.path.with_name(f"{self.path.name}-lock"))
        except Held as error:
            raise JournalUnusable(str(self.path), f"the process {error.holder} already writes to it") from None

    def _begin(self, window: int, *, was_there: bool) -> list[Newest]:
        """Read where the file stands, find out whether samples were lost, and reserve the next numbers."""
        epoch, stored = self._writer.begin()
        marked = self._mark.marked
        if lost := self._what_is_lost(epoch, stored, was_there=was_there):
            self._lose(lost)
        self._writer.last_seq = stored
        if not marked.clean or self._is_new_life:
            # Numbers above may have been given and lost: none is given twice.
            self._writer.last_seq = max(stored, marked.ceiling) if marked.epoch else stored + STEP * was_there
        db = self._writer.connection()
        self._damaged = list(db.execute("SELECT first_seq, last_seq FROM damage ORDER BY first_seq"))
        self.losses += [_damage_sentence(*one) for one in self._damaged]
        runs.extend(db)  # of what an earlier release has written, 0.3 us a sample
        columns, damaged, self._unread_to = refill.read_newest(db)
        self._note_damage(damaged)
        found = refill.windows(
            db,
            self._writer.ids,
            window,
            columns,
            lower=self._unread_to,
            damaged=self._damaged,
            horizon=self._writer.horizon,
        )
        if self._is_new_life or not epoch:
            epoch = secrets.token_hex(8)
            db.execute("UPDATE journal SET epoch = ?", (epoch,))
            db.execute("PRAGMA wal_checkpoint(TRUNCATE)")  # in the file itself: it is by this that it is known
        self.epoch = epoch
        self._mark.promise(epoch=epoch, ceiling=self._writer.last_seq + STEP, newest=stored, clean=False)
        return found

    def _what_is_lost(self, epoch: str, newest: int, *, was_there: bool) -> str:
        marked = self._mark.marked
        if not marked.epoch:
            return "The journal's mark is missing, so nobody can tell whether samples are." if was_there else ""
        if self._is_new_life:
            return ""  # it was set aside, which was said
        if not was_there:
            return f"The journal's file is missing, and with it the samples up to {marked.newest}."
        if epoch != marked.epoch:
            return "The journal's file is not the one that was written last."
        if newest < marked.newest:
            return f"The samples {newest + 1} to {marked.newest} are missing from the journal."
        return ""

    def _lose(self, what: str) -> None:
        log.error("%s", what)
        self.losses.append(what)
        self._is_new_life = True

    def replace_by(self, source: Path) -> None:
        """Put a copy of *source* in the place of the file, which is set aside; nobody may have it open.

        Raises:
            JournalUnusable: a process writes to it.
        """
        self._take_lock()
        self._rename("replaced")
        shutil.copyfile(source, self.path)
        self._release()

    def _rename(self, why: str) -> Path:
        aside = self.path.with_name(f"{self.path.name}.{why}-{time.strftime('%Y%m%dT%H%M%SZ', time.gmtime())}")
        for suffix in ("", "-wal", "-shm"):
            with suppress(FileNotFoundError):
                self.path.with_name(self.path.name + suffix).rename(aside.with_name(aside.name + suffix))
        return aside

    def _set_aside(self, why: str) -> bool:
        """Move the file away and begin with what can be read of it; tells whether that is anything."""
        self._writer.disconnect()
        aside = self._rename("damaged")
        end = recover(aside, self.path, ceiling=self._mark.marked.ceiling, within_s=RECOVER_S)
        rest = "Nothing of it can be read" if end is None else "What could be read of it was taken over"
        if end:
            rest += f", from sample {end + 1} on; `flask --app wsgi journal recover {aside.name} TARGET` takes all"
        self._lose(f"The journal could not be read ({why}). It was set aside as {aside.name}. {rest}.")
        return end is not None

    # ---- damage ----

    def _note_damage(self, found: Sequence[tuple[int, int]]) -> None:
        for one in found:
            if one not in self._damaged:
                row = (*one, now_ms())
                query = "INSERT OR REPLACE INTO damage (first_seq, last_seq, at) VALUES (?, ?, ?)"
                self._writer.connection().execute(query, row)
                self._damaged = sorted([*self._damaged, one])
                self._lose(_damage_sentence(*one))

    def _survey(self) -> None:
        """Check what was not read at start, in the background."""
        try:
            with closing(connect_reader(self.path)) as db:
                for found in survey(db, self._unread_to):
                    self.checked = found.end
                    if found.damaged or found.wrong or found.unreadable:
                        self._surveyed.put(found)
                    if self._ending.wait(CHECK_PAUSE_S):
                        return
        except apsw.Error as error:
            log.exception("The journal could not be checked beyond %d", self.checked)
            self.losses.append(f"The journal could not be checked beyond sample {self.checked}: {explain(error)}.")

    def _mend(self) -> None:
        """Do what the check found to be necessary."""
        with suppress(Empty):
            while True:
                found = self._surveyed.get_nowait()
                self._note_damage(found.damaged)
                db = self._writer.connection()
                try:
                    for run in found.wrong:
                        runs.make(db, run.first - 1, run.last)
                        self._note_index(f"of the samples {run.first} to {run.last} was damaged")
                except apsw.CorruptError:
                    found = replace(found, unreadable=True)
                if found.unreadable:
                    runs.renew(db)
                    self._note_index("could not be read")

    def _note_index(self, why: str) -> None:
        what = f"The journal's index {why}. It was made anew."
        log.error("%s", what)
        self.losses.append(what)

    # ---- writing ----

    def append(self, batch: Sequence[Reading], push: bytes | None = None) -> int:
        """Keep the batch; returns after its commit. See Journal."""
        return self._group.append(batch, push)

    def forget(self, names: Sequence[str]) -> None:
        """See Journal."""
        self._group.call(lambda: self._writer.forget(names))

    def keep_count(self, n: int) -> None:
        """Keep the tutorial's count: it survives the process; after a power cut the last few may be missing."""
        with suppress(OSError):
            self._mark.note(counted=n)

    def _idle(self) -> None:
        if self.problem:
            self._writer.write([])  # whether it can be written again
            return
        try:
            self._mend()
            runs.extend(self._writer.connection())
            self._writer.trim(self.retention)
        except Exception:
            log.exception("The journal could not be tidied: its index, or what is past its retention")

    # ---- reading ----

    def read(
        self, series: str, since: int, to: int, *, start_ms: int | None, end_ms: int | None, limit: int
    ) -> tuple[list[Row], int]:
        """See Journal."""
        try:
            with closing(connect_reader(self.path)) as db, db:  # one moment: retention may remove samples meanwhile
                number = self._writer.ids.get(series, 0)
                parts = runs.read(db, "seq, time, value", number, since, to, start_ms, end_ms)
                found: list[Row] = list(islice(chain.from_iterable(parts), limit))
                [(horizon,)] = db.execute("SELECT horizon FROM journal")
        except apsw.Error as error:
            raise JournalUnusable(str(self.path), explain(error)) from error
        return found, horizon

    def history(self, series: str, to: int, start_ms: int, end_ms: int) -> History:
        """See Journal."""
        # Through one array of doubles, with inf for a gap: half the time of rows.
        try:
            with closing(connect_reader(self.path)) as db, db:
                number = self._writer.ids.get(series, 0)
                parts = runs.read(db, "time, ifnull(value, 9e999)", number, 0, to, start_ms, end_ms)
                t, v = as_table(chain.from_iterable(parts), np.float64, 2).T
        except apsw.Error as error:
            raise JournalUnusable(str(self.path), explain(error)) from error
        v[np.isinf(v)] = np.nan
        order = np.argsort(t, kind="stable")
        return History(t[order], v[order])

    @property
    def units(self) -> Mapping[str, str]:
        """See Journal."""
        return self._writer.units

    def keep_units(self, units: Mapping[str, str]) -> None:
        """See Journal."""
        self._group.call(lambda: self._writer.keep_units(units))

    def state(self) -> dict[str, object]:
        """See Journal."""
        files = [self.path.with_name(self.path.name + suffix) for suffix in ("", "-wal")]
        size = sum(file.stat().st_size for file in files if file.exists())
        return {
            "kind": "sqlite",
            "samples": self._writer.samples,
            "bytes": size,
            "horizon": self._writer.horizon,
            "checked": self.checked,
        }

    @property
    def problem(self) -> str:
        """Why nothing can be kept now. See Journal."""
        return self._writer.problem

    @property
    def commits(self) -> int:
        """How many commits there were. See Journal."""
        return self._writer.commits

    @property
    def commit_s(self) -> float:
        """Seconds that they took. See Journal."""
        return self._writer.commit_s

    @property
    def counted(self) -> int:
        """The tutorial's count that was kept last."""
        return self._mark.marked.counted
