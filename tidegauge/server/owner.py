"""The owner: the one process of a host that has hub, journal, samplers and publisher."""

import gc
import logging
import os
import sys
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from threading import Event, Thread
from time import monotonic

from prometheus_client import Counter as PushCounter

from tidegauge.errors import ExtraMissing, JournalUnusable, NotReady, NotServing, explain
from tidegauge.publish.assets import Assets
from tidegauge.server.run_folder import RunFolder
from tidegauge.server.site import Site, build_site
from tidegauge.server.vitals import Vitals
from tidegauge.settings import Settings
from tidegauge.store.file_lock import Held
from tidegauge.store.hub import Hub
from tidegauge.store.journal import Journal
from tidegauge.store.journal.memory import MemoryJournal
from tidegauge.store.journal.sqlite.journal import SqliteJournal
from tidegauge.store.journal.sqlite.retention import Retention

TRY_AGAIN_S = 0.5
MOST_WAIT_S = 30.0  # between two tries to build: each costs a second of processor time
BUILD_S = 10.0  # a page's request waits for the dashboards so long

log = logging.getLogger(__name__)


class Owner:
    """Everything that runs, and its life. Making one opens and starts nothing; ``start`` does.

    Args:
        settings: all of them.
        folders: of dashboard files, besides that of the settings.
        context: what dashboard files are loaded in: a Flask application's context.
        has_process: the process is Tidegauge's alone, so its garbage collector may be set.
    """

    def __init__(
        self,
        settings: Settings,
        folders: Sequence[Path] = (),
        *,
        context: Callable[[], AbstractContextManager[object]] = nullcontext,
        has_process: bool = False,
    ) -> None:
        self.settings = settings
        self.assets = Assets()
        self.hub = Hub(_journal(settings), window=settings.window, max_series=settings.max_series)
        self.vitals = Vitals(self.hub, settings.status_url)
        self.run_folder = RunFolder(Path(settings.run))
        self.pushes = PushCounter("tidegauge_pushes", "Pushes, by their answer", ["url", "status"], registry=None)
        self.started_at = 0.0  # monotonic, s; 0.0 while not started
        self.pid = 0
        self.building = "the dashboards are being built"  # why there is no site yet
        self._folders = [*folders, *([Path(settings.dashboards)] if settings.dashboards else [])]
        self._context = context
        self._has_process = has_process
        self._site: Site | None = None
        self._refusal: NotServing | None = NotServing(
            "it has not been started", "Serve it by Apache with mod_wsgi, or by `flask run`."
        )
        self._opening: Thread | None = None
        self._was_built = Event()  # or could not be
        self._stopping = Event()

    # ---- its life ----

    def start(self) -> None:
        """Take the run folder and the journal, so that pushes are taken; go on in the background.

        There the dashboards are built, and publisher and samplers started: half of the time of a start. While another
        process holds the run folder or the journal, or that cannot be opened, this one refuses to serve, with the
        reason, and tries again: after a restart the old process may take a moment to end.
        """
        if self._has_process:
            _tune_process()
        if not (is_taken := self._try_to_take()):
            log.error("Not serving: %s", self._refusal)
        self._opening = Thread(target=self._open if is_taken else self._go_on_trying, name="owner", daemon=True)
        self._opening.start()

    def refuse(self, reason: str, cure: str) -> None:
        """Never serve from this process; *reason* completes "this process must not serve: "."""
        self._refusal = NotServing(reason, cure)
        log.error("Not serving: %s", reason)

    def stop(self) -> None:
        """End the background threads; nothing is lost by not calling this."""
        self._stopping.set()
        if self._opening:
            self._opening.join(BUILD_S)
        if self._site:
            self._site.stop()
        self.hub.journal.close()
        self.run_folder.release()

    def _go_on_trying(self) -> None:
        while not self._stopping.wait(TRY_AGAIN_S):
            if self._try_to_take():
                log.warning("What was in the way is gone; serving")
                self._open()
                return

    def _try_to_take(self) -> bool:
        try:
            self.run_folder.take()
            self.hub.open()
        except Held as error:
            reason = f"the process {error.holder} already serves from this run folder"
            self._refusal = NotServing(reason, "End it, and this one takes over; or set TIDEGAUGE_RUN to another.")
            return False
        except JournalUnusable as error:
            self._refusal = NotServing(error.what.rstrip("."), error.cure)
            return False
        self.run_folder.write_tokens(self.settings.push_tokens)
        self.pid = os.getpid()
        self.started_at = monotonic()
        self._refusal = None
        return True

    def _open(self) -> None:
        wait_s = TRY_AGAIN_S
        while not self._stopping.is_set():
            is_built = self._build()
            self._was_built.set()
            if is_built or self._stopping.wait(wait_s):
                break
            wait_s = min(2 * wait_s, MOST_WAIT_S)
        if self._has_process:
            gc.freeze()  # what is loaded when the dashboards are built stays

    def _build(self) -> bool:
        """Build and start the site; tells whether that went well."""
        site = None
        try:
            with self._context():
                site = build_site(
                    self.hub, self.settings, self._folders, self.run_folder.feeds, assets=self.assets.digest
                )
            site.start()
        except Exception as error:  # such as a host that has no thread left: it may have some again
            if not self._was_built.is_set():
                log.exception("The dashboards could not be built; trying again")
            self.building = f"the dashboards could not be built: {explain(error).rstrip('.')}"
            if site:
                site.stop()
            return False
        self._site = site
        return True

    # ---- what requests ask ----

    @property
    def site_if_built(self) -> Site | None:
        """The site, None while the dashboards are being built."""
        return self._site

    @property
    def site(self) -> Site:
        """The site; waits for it while the dashboards are being built, for 10 s.

        Raises:
            NotReady: it is not there, with the reason.
        """
        if self._site is None and not self._was_built.wait(BUILD_S):
            raise NotReady(f"the dashboards have not been built within {BUILD_S:g} s")
        if self._site is None:
            raise NotReady(self.building)
        return self._site

    def check_serving(self, *, multiprocess: bool) -> None:
        """Raise NotServing if this process must not serve.

        Args:
            multiprocess: what the WSGI server says of itself.
        """
        cure = "Numbers are counted in one process: correct that, and restart."
        if multiprocess:
            raise NotServing("the server runs several processes; it needs a WSGIDaemonProcess without processes=", cure)
        if self.pid and os.getpid() != self.pid:
            raise NotServing(f"it was forked from the process {self.pid}, which serves; do not fork workers", cure)
        if self._refusal:
            raise self._refusal


def _tune_process() -> None:
    # A push makes many thousand tuples that live for milliseconds; by default the collector would walk all that the
    # process has several times for each.
    gc.set_threshold(100_000, 20, 20)
    # The journal's thread gets the interpreter back sooner from request threads that parse (database.py: insert). At
    # 0.2 ms sixteen threads that push took a fifth more of the processor, for switching alone.
    sys.setswitchinterval(0.001)


def _journal(settings: Settings) -> Journal:
    if settings.journal == "memory":
        return MemoryJournal()
    retention = Retention(settings.retention_days, settings.retention_samples)
    if settings.servers:
        try:  # what it needs is an extra
            from tidegauge.store.journal.jetstream.access import Access
            from tidegauge.store.journal.jetstream.journal import JetStreamJournal
        except ImportError:
            raise ExtraMissing("NATS servers in TIDEGAUGE_JOURNAL", "nats") from None

        access = Access(settings.servers.urls, settings.nats_credentials, settings.nats_ca)
        return JetStreamJournal(access, settings.servers.stream, Path(settings.journal_copy), retention)
    return SqliteJournal(Path(settings.journal), retention)
