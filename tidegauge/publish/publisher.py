"""Feeds as files: what Apache serves to any number of viewers, without asking Python.

A feed is two files. ``window.json`` has the whole window of each of its series; ``tail.json``, which every
page polls, has the samples since the window.json *before the last one*, so that a page which read a
window just before the next was written still finds its cursor in the tail.
"""

import logging
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from threading import Event, Thread
from time import monotonic, thread_time

from tidegauge.publish.feed import TAIL, WINDOW, Encoder, resolve, tail_series, window_series
from tidegauge.publish.folder import ServedFolder
from tidegauge.publish.front import FrontPage
from tidegauge.store.hub import Hub
from tidegauge.store.snapshot import Snapshot

WINDOW_EVERY_S = 10.0  # shortest time between two window.json of a feed that changes
HEARTBEAT_S = 5.0  # longest time between two tails: `time` proves that the publisher lives
TAIL_SAMPLES = 2000  # a tail that would pass this is cut short by a new window.json

log = logging.getLogger(__name__)


@dataclass
class Feed:
    """What the publisher knows of one dashboard's feed."""

    name: str
    series: tuple[str, ...]  # names and patterns
    tail_from: int = 0  # the `to` of the window.json before the last one
    window_to: int = 0  # the `to` of the last window.json
    window_at: float = 0.0  # monotonic, s
    tail_to: int = 0
    tail_at: float = -HEARTBEAT_S  # monotonic, s
    seen: int = -1  # the hub's newest sample at the last look


class Publisher:
    """Writes the feeds of all dashboards, from one background thread.

    Args:
        hub: where the samples come from.
        folder: where the feeds go: ``<dashboard>/tail.json``. It is made if it is not there.
        feeds: the series of each dashboard, by its name.
        documents: the figures of each dashboard, by its name and the theme: they lie beside its feed.
        encoder: writes a feed as JSON.
        publish_ms: shortest time between two tails of a feed.
        front_page: is written by the same thread, after the feeds.
    """

    def __init__(
        self,
        hub: Hub,
        folder: ServedFolder,
        feeds: Mapping[str, Sequence[str]],
        documents: Mapping[str, Mapping[str, bytes]],
        *,
        encoder: Encoder,
        publish_ms: int,
        front_page: FrontPage | None = None,
    ) -> None:
        self._hub = hub
        self._folder = folder
        self._documents = documents
        self._encoder = encoder
        self._publish_s = publish_ms / 1000
        self._front_page = front_page
        self._feeds = [Feed(name, tuple(series)) for name, series in feeds.items()]
        self._stop = Event()
        self._thread = Thread(target=self._run, name="publisher", daemon=True)
        self.last_round = monotonic()  # s; a publisher that hangs lets this grow old
        self.problem = ""  # why the last round failed
        self.cpu_s = 0.0  # processor time of the background thread

    def start(self) -> None:
        """Write documents and every feed once (windows, then tails), remove those that are gone, and go on."""
        self._folder.make_folder()
        for name, documents in self._documents.items():
            self._folder.make_folder(name)
            for theme, body in documents.items():
                self._folder.replace_packed(f"{name}/document.{theme}.json", body)
                self._folder.replace_plain(f"{name}/document.{theme}.json", body)
        for feed in self._feeds:
            self._folder.make_folder(feed.name)
            self._write_window(feed)
        self._publish_all()
        wanted = {feed.name for feed in self._feeds} | self._documents.keys()
        for folder in self._folder.path.iterdir():
            if folder.is_dir() and folder.name not in wanted:
                shutil.rmtree(folder)
        self._thread.start()

    def stop(self, timeout_s: float = 2.0) -> None:
        """End the background thread; the files stay, and grow old."""
        self._stop.set()
        if self._thread.is_alive():
            self._thread.join(timeout_s)

    @property
    def silent_s(self) -> float:
        """Seconds since the last round of writing ended well."""
        return monotonic() - self.last_round

    def _run(self) -> None:
        while not self._stop.wait(self._publish_s):
            try:
                self._publish_all()
                self.cpu_s = thread_time()
            except Exception as error:  # a full or vanished tmpfs: said on /health, tried again next round
                if not self.problem:
                    log.exception("The publisher cannot write the feeds; it goes on trying")
                self.problem = f"{type(error).__name__}: {getattr(error, 'strerror', None) or 'see the log'}"
            else:
                if self.problem:
                    log.warning("The publisher writes feeds again")
                self.problem = ""
                self.last_round = monotonic()

    def _publish_all(self) -> None:
        for feed in self._feeds:
            self.publish(feed)
        if self._front_page:
            self._front_page.publish()

    def publish(self, feed: Feed) -> None:
        """Bring one feed's files up to date: the tail, and before it window.json where that is due."""
        newest, is_old = self._hub.windows.newest, monotonic() - feed.tail_at >= HEARTBEAT_S
        if newest == feed.seen and not is_old:
            return
        snapshot = self._snapshot(feed)
        feed.seen = newest
        if snapshot.to <= feed.tail_to and not is_old:
            return
        # Also once more after the last change: the tail is then empty, and the same whoever has published it.
        is_due = snapshot.to > feed.window_to or feed.window_to > feed.tail_from
        if is_due and monotonic() - feed.window_at >= WINDOW_EVERY_S:
            self._write_window(feed)
            snapshot = self._snapshot(feed)
        # A burst: too long for a tail, or it has pushed samples out of a window that the tail would have
        # to hold. The second new window leaves a tail that begins where that window ends.
        while snapshot.to > feed.tail_from and (snapshot.count > TAIL_SAMPLES or snapshot.evicted > feed.tail_from):
            self._write_window(feed)
            snapshot = self._snapshot(feed)
        self._write_tail(feed, snapshot)

    def _snapshot(self, feed: Feed) -> Snapshot:
        return self._hub.windows.snapshot(resolve(self._hub, feed.series)[0], since=feed.tail_from)

    def _write_window(self, feed: Feed) -> None:
        names, omitted = resolve(self._hub, feed.series)
        snapshot = self._hub.windows.snapshot(names)
        body = self._encoder.encode({"to": snapshot.to}, window_series(snapshot), omitted)
        self._folder.replace_packed(f"{feed.name}/{WINDOW}", body, level=5)
        self._folder.replace_plain(f"{feed.name}/{WINDOW}", body)
        feed.tail_from, feed.window_to, feed.window_at = feed.window_to, snapshot.to, monotonic()

    def _write_tail(self, feed: Feed, snapshot: Snapshot) -> None:
        series = tail_series(snapshot)
        body = self._encoder.encode({"from": feed.tail_from, "to": snapshot.to}, series)
        self._folder.replace_plain(f"{feed.name}/{TAIL}", body)
        feed.tail_to, feed.tail_at = snapshot.to, monotonic()
