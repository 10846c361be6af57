"""What of the file is damaged: known from before, found as it was opened, or by a check in the background."""

import logging
from collections.abc import Sequence
from contextlib import closing, suppress
from dataclasses import replace
from pathlib import Path
from queue import Empty, SimpleQueue
from threading import Event, Thread

import apsw

from tidegauge.errors import explain
from tidegauge.store.journal.sqlite import series_index
from tidegauge.store.journal.sqlite.database import connect_reader
from tidegauge.store.journal.sqlite.scrub import Scrubbed, scrub
from tidegauge.store.times import now_ms

CHECK_PAUSE_S = 0.01  # between two slices
CLOSE_S = 2.0  # for the check to end

log = logging.getLogger(__name__)


class Damage:
    """Knows the damaged ranges of ``seq``, finds more, and mends the index.

    Args:
        path: the journal's file.
    """

    def __init__(self, path: Path) -> None:
        self.losses: list[str] = []  # a sentence each
        self.has_new_loss = False  # samples were lost, and no earlier process has said so
        self.ranges: list[tuple[int, int]] = []
        self.checked = 0  # of what was not read at start, every sample up to this seq has been
        self._path = path
        self._found: SimpleQueue[Scrubbed] = SimpleQueue()  # slices that need something of the writing thread
        self._check: Thread | None = None
        self._ending = Event()

    def report_loss(self, what: str) -> None:
        """Say that samples were lost: a sentence."""
        log.error("%s", what)
        self.losses.append(what)
        self.has_new_loss = True

    def load(self, db: apsw.Connection) -> None:
        """Read what was found before."""
        self.ranges = list(db.execute("SELECT first_seq, last_seq FROM damage ORDER BY first_seq"))
        self.losses += [_sentence(*one) for one in self.ranges]

    def note(self, db: apsw.Connection, found: Sequence[tuple[int, int]]) -> None:
        """Note damaged ranges, which are left out from now on."""
        for one in found:
            if one not in self.ranges:
                row = (*one, now_ms())
                db.execute("INSERT OR REPLACE INTO damage (first_seq, last_seq, at) VALUES (?, ?, ?)", row)
                self.ranges = sorted([*self.ranges, one])
                self.report_loss(_sentence(*one))

    # ---- the check in the background ----

    def start_check(self, to: int) -> None:
        """Begin to check every sample up to the number *to*."""
        self._ending.clear()
        self._check = Thread(target=self._run, args=(to,), name="journal check", daemon=True)
        self._check.start()

    def stop_check(self) -> None:
        """End the check, within CLOSE_S."""
        self._ending.set()
        if self._check:
            self._check.join(CLOSE_S)

    def _run(self, to: int) -> None:
        try:
            with closing(connect_reader(self._path)) as db:
                for found in scrub(db, to):
                    self.checked = found.end
                    if found.damaged or found.wrong or found.unreadable:
                        self._found.put(found)
                    if self._ending.wait(CHECK_PAUSE_S):
                        return
        except apsw.Error as error:
            log.exception("The journal could not be checked beyond %d", self.checked)
            self.losses.append(f"The journal could not be checked beyond sample {self.checked}: {explain(error)}.")

    def mend(self, db: apsw.Connection) -> None:
        """Do what the check found to be necessary; for the writing thread, with its connection."""
        with suppress(Empty):
            while True:
                found = self._found.get_nowait()
                self.note(db, found.damaged)
                try:
                    for run in found.wrong:
                        series_index.make(db, run.first - 1, run.last)
                        self._note_index(f"of the samples {run.first} to {run.last} was damaged")
                except apsw.CorruptError:
                    found = replace(found, unreadable=True)
                if found.unreadable:
                    series_index.renew(db)
                    self._note_index("could not be read")

    def _note_index(self, why: str) -> None:
        what = f"The journal's index {why}. It was made anew."
        log.error("%s", what)
        self.losses.append(what)


def _sentence(first: int, last: int) -> str:
    return f"The samples {first} to {last} are damaged in the journal. They are left out, and not deleted."
