"""The journal in one SQLite file. One connection of one thread writes it and checkpoints; readers open it read-only."""

import logging
import secrets
import shutil
import time
from array import array
from collections import OrderedDict
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass
from itertools import chain
from math import inf
from pathlib import Path
from threading import Event, Thread
from typing import IO

import apsw
import numpy as np

from app.clock import now_ms
from app.errors import JournalUnusable, JournalUnwritable, describe
from app.journal import Admit, Deliver, Newest, Reading, Row, Stamped
from app.journal.checks import Float, Int, as_columns, checksums, read_checked, survey
from app.journal.group import GroupCommit, Waiting
from app.journal.mark import STEP, Mark
from app.journal.schema import migrate
from app.lock import Held, lock

PUSHES = 10_000  # requests remembered, to see their repeats
REFILL_SAMPLES = 1_000_000  # read in one go at start, and checked; further ones are looked up series by series
IDLE_S = 0.25  # between two looks at retention, and between two tries to write while that fails
CHECK_PAUSE_S = 0.01  # between two slices
TRIM_SAMPLES = 2_000  # removed in one transaction
DAY_MS = 86_400_000

# What is damaged is left out here, not after it: a page of damaged samples alone would look like the end.
READ = """
    SELECT seq, time, value FROM sample
    WHERE NOT EXISTS (SELECT 1 FROM damage WHERE sample.seq BETWEEN first_seq AND last_seq) AND series = ?
"""
SampleRow = tuple[int, int, int, float | None]

log = logging.getLogger(__name__)


@contextmanager
def transaction(db: apsw.Connection) -> Iterator[None]:
    """Commit at the end, or roll back: an error of the commit, too (a connection's own ``with`` makes a savepoint)."""
    db.execute("BEGIN IMMEDIATE")
    try:
        yield
        db.execute("COMMIT")
    except BaseException:
        with suppress(apsw.Error):
            db.execute("ROLLBACK")
        raise


def insert_samples(db: apsw.Connection, rows: Sequence[SampleRow]) -> None:
    """Insert rows of (seq, series id, time, value), as few statements as can be.

    Around each step of a statement the interpreter's lock is given up, and while another thread computes it is
    back after a switch interval only: beside one such thread a row took 1,203 us with a step each (executemany), 29 us
    with 250 rows a step, 13 us with 1,000; the last takes longer without such threads, and 256 no longer than one.
    """
    done = 0
    for size in (256, 32, 4, 1):
        statement = f"INSERT INTO sample(seq,series,time,value)VALUES{','.join(['(?,?,?,?)'] * size)}"
        while len(rows) - done >= size:
            db.execute(statement, tuple(chain.from_iterable(rows[done : done + size])))
            done += size


def _damage_sentence(first: int, last: int) -> str:
    return f"The samples {first} to {last} are damaged in the journal. They are left out, and not deleted."


@dataclass(frozen=True)
class Retention:
    """How much is kept: samples that arrived in the last ``days``, and at most ``samples``."""

    days: float = 7
    samples: int = 50_000_000


class SqliteJournal:
    """Keeps samples in an SQLite file (WAL, synchronous=FULL): what was appended is there after a power cut.

    Beside the file lie SQLite's own ``-wal`` and ``-shm``, and our ``-mark``, by which a lost or exchanged file is
    noticed. A file that cannot be read is set aside, and batches that are damaged are left out; neither is deleted.

    Args:
        path: the file; made, with its folder, if it is not there.
        retention: what is kept.
    """

    def __init__(self, path: Path, retention: Retention | None = None) -> None:
        self.path = path
        self.retention = retention or Retention()
        self.epoch = ""
        self.problem = ""
        self.losses: list[str] = []
        self.samples = 0  # kept now
        self.horizon = 0  # the newest seq that is no longer kept
        self.commits = 0
        self.commit_s = 0.0  # all commits together
        self._mark = Mark(path.with_name(f"{path.name}-mark"))
        self._lock_file: IO[str] | None = None
        self._db: apsw.Connection | None = None
        self._ids: dict[str, int] = {}
        self._last_seq = 0
        self._is_new_life = False  # samples were lost, so this needs another epoch
        self._pushes: OrderedDict[bytes, int] = OrderedDict()
        self._damaged: list[tuple[int, int]] = []
        self._found: list[tuple[int, int]] = []  # by the check, for the writer
        self._ending = Event()
        self._unchecked = 0  # the last seq that was not read at start
        self.checked = 0  # of those, every sample up to this seq has been
        self._writer = GroupCommit(self._write, self._idle, IDLE_S)

    def follow(self, admit: Admit, deliver: Deliver) -> None:
        """See Journal."""
        self._admit, self._deliver = admit, deliver

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
                self._set_aside(describe(error))
                found = self._begin(window, was_there=False)
        except (apsw.Error, OSError) as error:
            self._release()
            raise JournalUnusable(str(self.path), describe(error)) from error
        self._writer.start()
        Thread(target=self._survey, name="journal check", daemon=True).start()
        return found

    def close(self) -> None:
        """Commit what waits, and mark the file as complete. See Journal."""
        self._ending.set()
        self._writer.stop()
        if self._db is not None and not self.problem:
            with suppress(apsw.Error, OSError):
                self._db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
                # Not if numbers were left out, above the newest that was used.
                self._mark.promise(clean=self._last_seq == self._mark.marked.newest)
        self._release()

    def _release(self) -> None:
        self._disconnect()
        self._mark.close()
        if self._lock_file:
            self._lock_file.close()

    def _take_lock(self) -> None:
        try:
            self._lock_file = lock(self.path.with_name(f"{self.path.name}-lock"))
        except Held as error:
            raise JournalUnusable(str(self.path), f"the process {error.holder} already writes to it") from None

    def _begin(self, window: int, *, was_there: bool) -> list[Newest]:
        """Read where the file stands, find out whether samples were lost, and reserve the next numbers."""
        db = self._connection()
        [(epoch, self.samples, self.horizon)] = db.execute("SELECT epoch, samples, horizon FROM journal")
        [(newest,)] = db.execute("SELECT coalesce(max(last_seq), 0) FROM batch")
        self._ids = dict(db.execute("SELECT name, id FROM series WHERE name IS NOT NULL"))
        query = "SELECT push, last_seq FROM batch WHERE push IS NOT NULL ORDER BY last_seq DESC LIMIT ?"
        self._pushes = OrderedDict(reversed(list(db.execute(query, (PUSHES,)))))
        marked = self._mark.marked
        stored = max(newest, self.horizon)
        if lost := self._what_is_lost(epoch, stored, was_there=was_there):
            self._lose(lost)
        self._last_seq = stored
        if not marked.clean or self._is_new_life:
            # Numbers above may have been given and lost: none is given twice.
            self._last_seq = max(stored, marked.ceiling) if marked.epoch else stored + STEP * was_there
        self._damaged = list(db.execute("SELECT first_seq, last_seq FROM damage ORDER BY first_seq"))
        self.losses += [_damage_sentence(*one) for one in self._damaged]
        found = self._refill(db, window)
        if self._is_new_life or not epoch:
            epoch = secrets.token_hex(8)
            db.execute("UPDATE journal SET epoch = ?", (epoch,))
            db.execute("PRAGMA wal_checkpoint(TRUNCATE)")  # in the file itself: it is by this that it is known
        self.epoch = epoch
        self._mark.promise(epoch=epoch, ceiling=self._last_seq + STEP, newest=stored, clean=False)
        return found

    def _what_is_lost(self, epoch: str, newest: int, *, was_there: bool) -> str:
        marked = self._mark.marked
        if not marked.epoch:
            return "The journal's mark is missing, so nobody can tell whether samples are." if was_there else ""
        if not was_there:
            gone = f"The journal's file is missing, and with it the samples up to {marked.newest}."
            return "" if self._is_new_life else gone  # it was set aside
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

    def _rename(self, why: str) -> str:
        aside = f"{self.path.name}.{why}-{time.strftime('%Y%m%dT%H%M%SZ', time.gmtime())}"
        for suffix in ("", "-wal", "-shm"):
            with suppress(FileNotFoundError):
                self.path.with_name(self.path.name + suffix).rename(self.path.with_name(aside + suffix))
        return aside

    def _set_aside(self, why: str) -> None:
        self._disconnect()
        aside = self._rename("damaged")
        self._lose(f"The journal could not be read ({why}). It was set aside as {aside}.")

    def _connection(self) -> apsw.Connection:
        """Return the connection that writes; made anew where an error has ended the one before."""
        if self._db is None:
            self._db = db = apsw.Connection(str(self.path))
            db.set_busy_timeout(2_000)
            for pragma in (
                "journal_mode = WAL",
                "synchronous = FULL",
                "cache_size = -32768",  # KiB
                "temp_store = MEMORY",  # where a statement of many rows keeps what it would have to undo
                "wal_autocheckpoint = 4000",  # pages; the default writes each page of the index far more often
                "journal_size_limit = 67108864",
            ):
                db.execute(f"PRAGMA {pragma}")
            migrate(db)
        return self._db

    def _disconnect(self) -> None:
        if self._db is not None:
            with suppress(apsw.Error):
                self._db.close()
            self._db = None

    def _refill(self, db: apsw.Connection, size: int) -> list[Newest]:
        """Return the newest samples of every series. What is damaged is left out and named."""
        query = "SELECT seq FROM sample ORDER BY seq DESC LIMIT 1 OFFSET ?"
        lower = next((seq for (seq,) in db.execute(query, (REFILL_SAMPLES,))), 0)
        query = "SELECT last_seq FROM batch WHERE last_seq >= ? ORDER BY last_seq LIMIT 1"
        lower = next((seq for (seq,) in db.execute(query, (lower,))), 0) if lower else 0
        self._unchecked = lower
        seq, series, times, values = self._checked(db, lower)
        order = np.argsort(series, kind="stable")
        seq, series, times, values = seq[order], series[order], times[order], values[order]
        numbers, starts = np.unique(series, return_index=True)
        ends = np.append(starts[1:], len(series))[: len(starts)]
        spans = {int(number): (int(start), int(end)) for number, start, end in zip(numbers, starts, ends, strict=True)}
        found = []
        query = f"{READ} AND seq <= ? ORDER BY seq DESC LIMIT ?"
        for name, number in self._ids.items():
            start, end = spans.get(number, (0, 0))
            start = max(start, end - size - 1)  # one more than the window: it tells what has left it
            columns = [seq[start:end], times[start:end], values[start:end]]
            if lower and end - start <= size:
                older = db.execute(query, (number, lower, size + 1 - (end - start)))
                rows = list(older)[::-1]
                columns = [np.append([row[i] for row in rows], column) for i, column in enumerate(columns)]
            evicted = int(columns[0][-size - 1]) if len(columns[0]) > size else self.horizon
            found.append(
                Newest(
                    name,
                    array("q", columns[0][-size:].astype(np.int64).tobytes()),
                    array("q", columns[1][-size:].astype(np.int64).tobytes()),
                    array("d", columns[2][-size:].astype(np.float64).tobytes()),
                    evicted,
                )
            )
        return found

    def _checked(self, db: apsw.Connection, after: int) -> tuple[Int, Int, Int, Float]:
        """Return the samples with seq > *after* as columns, without those of damaged batches."""
        columns, found, _ = read_checked(db, after, 2**63 - 1)
        for one in found:
            if one not in self._damaged:
                self._note_damage(db, *one)
        kept = np.full(len(columns[0]), True)
        for first, last in self._damaged:
            kept &= (columns[0] < first) | (columns[0] > last)
        seq, series, times, values = (column[kept] for column in columns)
        return seq, series, times, values

    def _note_damage(self, db: apsw.Connection, first: int, last: int) -> None:
        now = now_ms()
        db.execute("INSERT INTO damage (first_seq, last_seq, at) VALUES (?, ?, ?)", (first, last, now))
        self._damaged = sorted([*self._damaged, (first, last)])
        self._lose(_damage_sentence(first, last))

    # ---- writing ----

    def append(self, batch: Sequence[Reading], push: bytes | None = None) -> int:
        """Keep the batch; returns after its commit. See Journal."""
        return self._writer.append(batch, push)

    def state(self) -> dict[str, object]:
        """See Journal."""
        files = [self.path.with_name(self.path.name + suffix) for suffix in ("", "-wal")]
        size = sum(file.stat().st_size for file in files if file.exists())
        return {
            "kind": "sqlite",
            "samples": self.samples,
            "bytes": size,
            "horizon": self.horizon,
            "checked": self.checked,
        }

    def keep_count(self, n: int) -> None:
        """Keep the tutorial's count: it survives the process; after a power cut the last few may be missing."""
        with suppress(OSError):
            self._mark.note(counted=n)

    @property
    def counted(self) -> int:
        """The tutorial's count that was kept last."""
        return self._mark.marked.counted

    def _write(self, group: Sequence[Waiting]) -> None:
        try:
            self._commit(group)
        except Exception as error:  # of the disk, or of ours: no answer of success without a commit
            if not self.problem:
                log.exception("The journal cannot be written; it goes on trying")
            self.problem = describe(error)
            for waiting in group:
                waiting.error = JournalUnwritable(self.problem)
            self._disconnect()
        else:
            if self.problem:
                log.warning("The journal is written again")
            self.problem = ""

    def _commit(self, group: Sequence[Waiting]) -> None:
        started = time.monotonic()
        fresh = self._without_repeats(group)
        batches = self._admit([one.batch for one in fresh])
        samples = list(chain.from_iterable(batches))
        new_ids = self._new_ids(samples)
        first, last = self._last_seq + 1, self._last_seq + len(samples)
        self._mark.reserve(last)
        rows, sums = self._rows(first, samples, self._ids | new_ids if new_ids else self._ids, batches)
        records, end = [], self._last_seq
        for one, batch, checksum in zip(fresh, batches, sums, strict=True):
            if batch:
                records.append((end + len(batch), end + 1, now_ms(), checksum, one.push))
                end += len(batch)
            one.last = end
        db = self._connection()
        with transaction(db):
            db.executemany("INSERT INTO series (name, id) VALUES (?, ?)", new_ids.items())
            insert_samples(db, rows)
            query = "INSERT INTO batch (last_seq, first_seq, at, checksum, push) VALUES (?, ?, ?, ?, ?)"
            db.executemany(query, records)
            db.execute("UPDATE journal SET samples = samples + ?", (len(samples),))
        self._ids |= new_ids
        self._last_seq = last
        self.samples += len(samples)
        self._mark.note(newest=last)
        self._remember(group, fresh)
        self._deliver(first, samples)
        self.commits += 1
        self.commit_s += time.monotonic() - started

    def _without_repeats(self, group: Sequence[Waiting]) -> list[Waiting]:
        fresh: dict[bytes | int, Waiting] = {}
        for one in group:
            if one.push is None or one.push not in self._pushes:
                fresh.setdefault(one.push or id(one), one)
        return list(fresh.values())

    def _remember(self, group: Sequence[Waiting], fresh: Sequence[Waiting]) -> None:
        self._pushes |= {one.push: one.last for one in fresh if one.push}
        for one in group:
            if one.push:
                one.last = self._pushes[one.push]
        while len(self._pushes) > PUSHES:
            self._pushes.popitem(last=False)

    def _new_ids(self, samples: Sequence[Stamped]) -> dict[str, int]:
        names = dict.fromkeys(name for name, _, _ in samples if name not in self._ids)
        if not names:
            return {}
        [(highest,)] = self._connection().execute("SELECT coalesce(max(id), 0) FROM series")
        return {name: number for number, name in enumerate(names, highest + 1)}

    def _rows(
        self, first: int, samples: Sequence[Stamped], ids: dict[str, int], batches: Sequence[Sequence[Stamped]]
    ) -> tuple[list[SampleRow], list[int]]:
        """Return the rows to insert, and a checksum for each batch."""
        rows = [(seq, ids[name], time, value) for seq, (name, time, value) in enumerate(samples, first)]
        ends = np.cumsum([len(batch) for batch in batches], dtype=np.int64)
        return rows, checksums(*as_columns((s, i, t, inf if v is None else v) for s, i, t, v in rows), ends).tolist()

    def _survey(self) -> None:
        """Check what was not read at start, in the background."""
        known = set(self._damaged)
        try:
            with closing(self._reader()) as db:
                for checked, found in survey(db, self._unchecked):
                    self.checked = checked
                    self._found += [one for one in found if one not in known]
                    if self._ending.wait(CHECK_PAUSE_S):
                        return
        except (apsw.Error, JournalUnusable) as error:
            log.exception("The journal could not be checked beyond %d", self.checked)
            self.losses.append(f"The journal could not be checked beyond sample {self.checked}: {describe(error)}.")

    def _idle(self) -> None:
        if self.problem:
            self._write([])  # whether it can be written again
            return
        try:
            while self._found:
                self._note_damage(self._connection(), *self._found.pop())
            self._trim()
        except Exception:
            log.exception("The journal's oldest samples could not be removed")

    def _trim(self) -> None:
        """Remove the oldest batches past the retention, a few at a time."""
        db = self._connection()
        oldest_ms = now_ms() - round(self.retention.days * DAY_MS)
        excess = self.samples - self.retention.samples
        to = removed = 0
        # The last batch stays: it tells where the numbers stand.
        query = "SELECT last_seq, first_seq, at FROM batch WHERE last_seq < ? ORDER BY last_seq LIMIT 500"
        [(newest,)] = db.execute("SELECT max(last_seq) FROM batch")
        for last, first, at in db.execute(query, (newest,)):
            if removed >= TRIM_SAMPLES or (at >= oldest_ms and removed >= excess):
                break
            to, removed = last, removed + last - first + 1
        if not to:
            return
        with transaction(db):
            db.execute("DELETE FROM sample WHERE seq <= ?", (to,))
            removed = db.changes()
            db.execute("DELETE FROM batch WHERE last_seq <= ?", (to,))
            db.execute("DELETE FROM damage WHERE last_seq <= ?", (to,))
            db.execute("UPDATE journal SET samples = samples - ?, horizon = ?", (removed, to))
        self.samples -= removed
        self.horizon = to

    # ---- reading ----

    def _reader(self) -> apsw.Connection:
        try:
            db = apsw.Connection(str(self.path), flags=apsw.SQLITE_OPEN_READONLY)
            db.set_busy_timeout(2_000)
        except apsw.Error as error:
            raise JournalUnusable(str(self.path), describe(error)) from error
        return db

    def read(
        self, series: str, since: int, *, start_ms: int | None, end_ms: int | None, limit: int
    ) -> tuple[list[Row], int]:
        """See Journal."""
        query = f"{READ} AND seq > ? AND time >= ? AND time < ? ORDER BY seq LIMIT ?"
        bounds = (-(2**63) if start_ms is None else start_ms, 2**63 - 1 if end_ms is None else end_ms)
        rows = self._reader().execute(query, (self._ids.get(series, 0), since, *bounds, limit))
        found: list[Row] = rows.fetchall()  # type: ignore[assignment]  # by the query
        return found, self.horizon
