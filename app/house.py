"""The house: hub, samplers, dashboards and publisher, started in the one process that serves."""

import hashlib
import logging
import os
from collections.abc import Callable
from pathlib import Path
from threading import Event, Thread
from time import monotonic
from typing import IO

from prometheus_client import Counter as PushCounter

from app import vitals
from app.assets import Assets
from app.cards import Cards
from app.counter import Counter
from app.dashboard import SHIPPED, Dashboard
from app.errors import JournalUnusable, NotServing, describe
from app.files import Files
from app.hub import Hub
from app.journal import Journal
from app.journal.memory import MemoryJournal
from app.journal.sqlite import Retention, SqliteJournal
from app.lock import Held, lock
from app.publisher import Publisher
from app.samplers import Sampler, Samplers, SamplerState
from app.settings import Settings

SILENT_S = 15.0  # a page calls a feed stale at this age
LOCK_S = 1.0  # the hub's lock is held for less than a millisecond
TRY_AGAIN_S = 0.5
MOST_WAIT_S = 30.0  # between two tries to build: each costs a second of processor time
BUILD_S = 10.0  # a page's request waits for the dashboards so long

log = logging.getLogger(__name__)


class House:
    """Everything that runs. Making one opens and starts nothing; ``start`` does.

    Only one process may serve a run folder: its numbers are counted in memory. It holds a lock on
    ``daemon.pid`` there, whose first line is its process id.
    """

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.assets = Assets()
        self.tutorial = Counter()
        self.journal = _journal(settings)
        self.hub = Hub(self.journal, window=settings.window, max_series=settings.max_series)
        self.pushes = PushCounter("tidegauge_pushes", "Pushes, by their answer", ["url", "status"], registry=None)
        self.dashboards: dict[str, Dashboard] = {}
        self.cards = Cards(self.hub, [], Files(self.feeds), build="", troubles_of=self._public_troubles)
        self.build = ""
        self.started_at = 0.0  # monotonic, s; 0.0 while not started
        self.pid = 0
        self._samplers = Samplers(self.hub, [])
        self._publisher: Publisher | None = None
        self._refusal = "it has not been started: serve it by Apache with mod_wsgi, or by `flask --app wsgi run`"
        self._lock_file: IO[str] | None = None
        self._opening: Thread | None = None
        self._is_open = Event()
        self._stopping = Event()
        self.publish_pages: Callable[[], None] = lambda: None  # called by the publisher after each round
        self.opened: Callable[[], None] = lambda: None  # called once the dashboards are built

    @property
    def pages(self) -> Path:
        """The folder of the dashboards' pages."""
        return Path(self.settings.run) / "pages"

    @property
    def feeds(self) -> Path:
        """The folder of the feeds."""
        return Path(self.settings.run) / "feeds"

    def start(self) -> None:
        """Take the run folder and the journal, so that pushes are taken; go on in the background.

        There the dashboards are built, and publisher and samplers started: half of the time of a start. While another
        process holds the run folder or the journal, or that cannot be opened, this one refuses to serve, with the
        reason, and tries again: after a restart the old process may take a moment to end.
        """
        is_taken = self._try_to_take()
        if not is_taken:
            log.error("Not serving: %s", self._refusal)
        self._opening = Thread(target=self._open if is_taken else self._go_on_trying, name="house", daemon=True)
        self._opening.start()

    def refuse(self, reason: str) -> None:
        """Never serve from this process; *reason* completes "this process must not serve: "."""
        self._refusal = reason
        log.error("Not serving: %s", reason)

    def _go_on_trying(self) -> None:
        while not self._stopping.wait(TRY_AGAIN_S):
            if self._try_to_take():
                log.warning("What was in the way is gone; serving")
                self._open()
                return

    def _try_to_take(self) -> bool:
        if self._lock_file is None and not self._take_run_folder():
            return False
        try:
            self.hub.open()
        except JournalUnusable as error:
            self._refusal = error.what.rstrip(".")
            return False
        self.tutorial = Counter(self.journal.counted)
        self._write_tokens()
        self.pid = os.getpid()
        self.started_at = monotonic()
        self._refusal = ""
        return True

    def _take_run_folder(self) -> bool:
        try:
            self._lock_file = lock(Path(self.settings.run) / "daemon.pid")
        except Held as error:
            self._refusal = (
                f"the process {error.holder} already serves from this run folder; "
                "end it, or set TIDEGAUGE_RUN to another"
            )
            return False
        return True

    def _open(self) -> None:
        wait_s = TRY_AGAIN_S
        while not self._stopping.is_set():
            try:
                self._build()
                self._refusal = ""
            except Exception as error:  # such as a host that has no thread left: it may have some again
                if not self._refusal:
                    log.exception("The house could not be opened; it goes on trying")
                self._refusal = describe(error).rstrip(".")
                self._end_threads()
            self._is_open.set()
            if not self._refusal or self._stopping.wait(wait_s):
                return
            wait_s = min(2 * wait_s, MOST_WAIT_S)

    def _end_threads(self) -> None:
        self._samplers.stop()
        if self._publisher:
            self._publisher.stop()

    @property
    def is_open(self) -> bool:
        """The dashboards are built, and their feeds written."""
        return self._is_open.is_set()

    def _build(self) -> None:
        # Bokeh takes half a second to load, for which neither pushes nor commands wait.
        from app.dashboards import load_dashboards
        from app.themes import themes

        settings = self.settings
        vitals.own_figures[:] = [self._figures]
        folders = [folder for folder in (SHIPPED, Path(settings.dashboards)) if folder.is_dir()]
        self.dashboards = load_dashboards(folders, themes(), window=settings.window)
        self.build = self._hash()
        feeds = {one.name: one.series for one in self.dashboards.values() if one.series}
        files = Files(self.feeds)
        self.hub.declare(name for series in feeds.values() for name in series if "*" not in name)
        self.cards = Cards(
            self.hub,
            self.dashboards.values(),
            files,
            build=self.build,
            troubles_of=self._public_troubles,
            problem_of_source=lambda: self.journal.problem or self.journal.behind,
        )
        self._publisher = Publisher(
            self.hub,
            files,
            feeds,
            {one.name: one.documents for one in self.dashboards.values() if one.documents},
            build=self.build,
            publish_ms=settings.publish_ms,
            poll_ms=settings.poll_ms,
            problem_of_source=lambda: self.journal.problem or self.journal.behind,
            also=self._publish_more,
        )
        self.journal.lead(self._begin_to_sample, self._end_sampling)
        self._publisher.start()
        self.opened()

    def _begin_to_sample(self) -> None:
        self._samplers = Samplers(self.hub, [one for each in self.dashboards.values() for one in each.samplers])
        self._samplers.start()

    def _end_sampling(self) -> None:
        ended, self._samplers = self._samplers, Samplers(self.hub, [])
        ended.stop()

    def _publish_more(self) -> None:
        self.cards.publish()
        self.publish_pages()

    def _figures(self) -> tuple[int, int, float, int]:
        journal = self.journal
        return self.hub.kept, journal.commits, journal.commit_s, int(str(journal.state().get("bytes", 0)))

    def _write_tokens(self) -> None:
        """Tell Apache whose pushes it may let in: the SHA-1 of every token (apache/tidegauge.conf)."""
        hashes = [hashlib.sha1(token.secret.encode()).hexdigest() for token in self.settings.push_tokens]  # noqa: S324
        staged = Path(self.settings.run) / "tokens.new"
        staged.write_text("".join(f"{one}\n" for one in hashes), "ascii")
        staged.chmod(0o640)
        staged.replace(staged.with_name("tokens"))

    def _hash(self) -> str:
        """A hash of what an open page was made of: it reloads itself when this changes."""
        documents = [body for one in self.dashboards.values() for body in one.documents.values()]
        documents += [repr((one.title, one.description, one.problem)).encode() for one in self.dashboards.values()]
        return hashlib.sha256(b"".join([self.assets.digest.encode(), *documents])).hexdigest()[:16]

    def stop(self) -> None:
        """End the background threads; nothing is lost by not calling this."""
        self._stopping.set()
        if self._opening:
            self._opening.join(BUILD_S)
        self._end_threads()
        self.journal.close()
        if self._lock_file:
            self._lock_file.close()

    def count(self) -> int:
        """Count the tutorial's ``x`` up by exactly one, and return it. It goes on after a restart."""
        n = self.tutorial.next()
        self.journal.keep_count(n)
        return n

    def check_serving(self, *, multiprocess: bool, needs_dashboards: bool) -> None:
        """Raise NotServing if this process must not serve.

        Args:
            multiprocess: what the WSGI server says of itself.
            needs_dashboards: wait until they are built, for 10 s.
        """
        reason = self._refusal
        if multiprocess:
            reason = "the server runs several processes; it needs a WSGIDaemonProcess without processes=, not even 1"
        elif self.pid and os.getpid() != self.pid:
            reason = f"it was forked from the process {self.pid}, which serves; do not fork workers"
        elif not reason and needs_dashboards:
            is_open = self._is_open.wait(BUILD_S)
            reason = self._refusal if is_open else f"its dashboards have not been built within {BUILD_S:g} s"
        if reason:
            raise NotServing(
                f"This process must not serve: {reason}.", "Numbers are counted in one process: correct that, restart."
            )

    def unready(self) -> list[str]:
        """Return the reasons for which this process should get no traffic now; [] when it should."""
        reasons = []
        if not self.is_open or self._publisher is None:
            return ["the dashboards are being built"]
        with self.hub.lock_within(LOCK_S) as obtained:
            if not obtained:
                reasons.append(f"the hub's lock was not obtained in {LOCK_S:g} s")
        if self.journal.problem:
            reasons.append(f"the journal cannot keep samples: {self.journal.problem}")
        if self.journal.behind:
            reasons.append(f"the journal may show less than others do: {self.journal.behind}")
        if self._publisher.silent_s > SILENT_S:
            why = f": {self._publisher.problem}" if self._publisher.problem else ""
            reasons.append(f"the publisher has been silent for {self._publisher.silent_s:.0f} s{why}")
        if self._samplers.silent_s > SILENT_S:
            reasons.append(f"all samplers have been silent for {self._samplers.silent_s:.0f} s")
        return reasons

    @property
    def publisher_silent_s(self) -> float:
        """Seconds since the feeds were last brought up to date."""
        return self._publisher.silent_s if self._publisher else 0.0

    @property
    def publisher_cpu_s(self) -> float:
        """Seconds of processor time that the publisher has taken."""
        return self._publisher.cpu_s if self._publisher else 0.0

    @property
    def sampler_states(self) -> list[SamplerState]:
        """What each sampler last did."""
        return self._samplers.states

    @property
    def state(self) -> str:
        """How fresh the feeds are: "live" or "stale"."""
        return "live" if self.publisher_silent_s < SILENT_S else "stale"

    @property
    def is_new(self) -> bool:
        """Nothing here is its user's own yet: no dashboard file, and no series but those of the shipped dashboards."""
        shipped = {path.stem for path in SHIPPED.glob("*.py")}
        return self.dashboards.keys() <= shipped and not self.cards.front.undrawn.series

    def encode_feed(self, bounds: dict[str, int], series: list[dict[str, object]], omitted: int) -> bytes:
        """Return a feed as JSON, as the publisher writes it; see Publisher.encode."""
        assert self._publisher  # noqa: S101 - requests are served only after the house was opened
        return self._publisher.encode(bounds, series, omitted)

    def troubles(self, *, shown: bool) -> list[str]:
        """Return what is wrong without making the house unready: dashboards and samplers, by name.

        Where *shown* is false, errors of the user's own code are references to the log.
        """
        broken = [f"dashboard {one.name}: {one.told(shown=shown)}" for one in self.dashboards.values() if one.problem]
        lost = [f"journal: {what}" for what in self.journal.losses]
        samplers = self.sampler_troubles(None, shown=shown)
        return lost + broken + [f"sampler {name}: {why}" for name, why in samplers.items()]

    @property
    def samplers_in_trouble(self) -> set[Sampler]:
        """The samplers whose last calls failed or are overdue."""
        return {state.sampler for state in self._samplers.states if state.told(shown=False)}

    def _public_troubles(self, dashboard: Dashboard) -> dict[str, str]:
        # Cards come from a file that is the same for all who look.
        return self.sampler_troubles(dashboard, shown=self.settings.show_errors == "everyone")

    def sampler_troubles(self, dashboard: Dashboard | None, *, shown: bool) -> dict[str, str]:
        """Return what is wrong with the samplers of *dashboard* (None: of all), by name; *shown* as in ``troubles``."""
        return {
            state.sampler.name: why
            for state in self._samplers.states
            if (dashboard is None or state.sampler in dashboard.samplers) and (why := state.told(shown=shown))
        }


def _journal(settings: Settings) -> Journal:
    if settings.journal == "memory":
        return MemoryJournal()
    retention = Retention(settings.retention_days, settings.retention_samples)
    if settings.servers:
        # Where it is not used, it costs no memory.
        from app.journal.jetstream.engine import Access
        from app.journal.jetstream.journal import JetStreamJournal

        access = Access(settings.servers.urls, settings.nats_credentials, settings.nats_ca)
        return JetStreamJournal(access, settings.servers.stream, Path(settings.journal_copy), retention)
    return SqliteJournal(Path(settings.journal), retention)
