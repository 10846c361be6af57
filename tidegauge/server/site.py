"""What exists once the dashboards are built: all of it is made together, and none of it changes."""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from tidegauge.dashboards.definition import Dashboard
from tidegauge.ingest.samplers import Samplers
from tidegauge.publish.feed import Encoder
from tidegauge.publish.folder import ServedFolder
from tidegauge.publish.front import FrontPage
from tidegauge.publish.publisher import Publisher
from tidegauge.settings import Settings
from tidegauge.store.hub import Hub

SILENT_S = 15.0  # a page calls a feed stale at this age


@dataclass(frozen=True)
class Site:
    """The dashboards, by name, and what keeps them fresh. ``build`` is a hash of what an open page was made of."""

    dashboards: Mapping[str, Dashboard]
    build: str
    samplers: Samplers
    front_page: FrontPage
    encoder: Encoder
    publisher: Publisher

    def start(self) -> None:
        """Begin to sample and to publish."""
        self.samplers.start()
        self.publisher.start()

    def stop(self) -> None:
        """End the background threads; the files stay, and grow old."""
        self.samplers.stop()
        self.publisher.stop()

    @property
    def state(self) -> str:
        """How fresh the feeds are: "live" or "stale"."""
        return "live" if self.publisher.silent_s < SILENT_S else "stale"


def build_site(hub: Hub, settings: Settings, folders: Sequence[Path], feeds: Path, *, assets: str) -> Site:
    """Load the dashboard files of *folders*, and make what keeps them fresh. Starts nothing.

    Args:
        feeds: the folder that feeds are published to.
        assets: a hash of the files that pages load.
    """
    # Bokeh takes half a second to load, for which neither pushes nor commands wait.
    from tidegauge.dashboards.loader import load_dashboards
    from tidegauge.dashboards.themes import themes

    dashboards = load_dashboards(folders, themes(), window=settings.window)
    build = _hash(assets, dashboards)
    series = {one.name: one.series for one in dashboards.values() if one.series}
    hub.windows.declare(name for names in series.values() for name in names if "*" not in name)
    folder = ServedFolder(feeds)
    samplers = Samplers(hub, [one for each in dashboards.values() for one in each.samplers])
    shows_errors = settings.show_errors == "everyone"
    front_page = FrontPage(hub, dashboards.values(), samplers, folder, build=build, shows_errors=shows_errors)
    encoder = Encoder(hub, build=build, poll_ms=settings.poll_ms)
    publisher = Publisher(
        hub,
        folder,
        series,
        {one.name: one.documents for one in dashboards.values() if one.documents},
        encoder=encoder,
        publish_ms=settings.publish_ms,
        front_page=front_page,
    )
    return Site(dashboards, build, samplers, front_page, encoder, publisher)


def _hash(assets: str, dashboards: Mapping[str, Dashboard]) -> str:
    """A hash of what an open page was made of: it reloads itself when this changes."""
    documents = [body for one in dashboards.values() for body in one.documents.values()]
    documents += [repr((one.title, one.description, one.problem)).encode() for one in dashboards.values()]
    return hashlib.sha256(b"".join([assets.encode(), *documents])).hexdigest()[:16]
