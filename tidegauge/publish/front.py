"""The front page's numbers: a card for each dashboard, and the series that nobody has drawn yet.

One file for the whole page, ``feeds/front.json``, written by the publisher's thread and polled by ``static/front.js``.
What a viewer reads is worded here and nowhere else, so the page and its updates say the same.
"""

from collections.abc import Iterable
from time import monotonic

from msgspec import Struct, json

from tidegauge.dashboards.definition import Dashboard
from tidegauge.ingest.samplers import Samplers
from tidegauge.publish.feed import resolve
from tidegauge.publish.folder import ServedFolder
from tidegauge.publish.sparkline import Sparkline, in_words, number_text, sparkline
from tidegauge.store.hub import Hub
from tidegauge.store.snapshot import NewestSample
from tidegauge.store.thinning import as_rate
from tidegauge.store.times import now_ms

FILE = "front.json"
EVERY_S = 5.0  # shortest time between two files
UNDRAWN = 100  # series listed, at most
BOX = (240, 48)  # width and height of a card's sparkline, in its own units; front.html has them as its viewBox


class Card(Struct, frozen=True):
    """What changes of a dashboard's card.

    ``newest`` is the time of its newest sample (ms since the Unix epoch; None without one). ``first`` is the series
    that it draws first, ``value`` that one's newest value as text, ``band`` what it means: "warn", "bad" or "".
    ``line``, ``area`` and ``end`` are that series' sparkline, ``label`` says it in words. ``troubles`` are sentences.
    """

    name: str
    series: int
    newest: int | None
    first: str
    value: str
    band: str
    label: str
    line: str
    area: str
    end: str
    troubles: tuple[str, ...]


class UndrawnSeries(Struct, frozen=True):
    """A series that nobody has drawn yet, its newest value as text, and that value's time."""

    name: str
    value: str
    newest: int | None


class Undrawn(Struct, frozen=True):
    """The first of the series that nobody has drawn yet, by name, and how many *more* there are."""

    series: tuple[UndrawnSeries, ...] = ()
    more: int = 0


class Front(Struct, frozen=True):
    """The front page at one moment, ``time``: what the file has. ``problem``: why nothing new can be kept."""

    build: str = ""
    time: int = 0
    poll_ms: int = int(EVERY_S * 1000)
    problem: str = ""
    cards: tuple[Card, ...] = ()
    undrawn: Undrawn = Undrawn()


def text_of(dashboard: Dashboard) -> str:
    """Return what a dashboard is found by."""
    return " ".join([dashboard.title, dashboard.description, dashboard.name, *dashboard.series])


def matches(query: str, text: str) -> bool:
    """Tell whether every word of *query* is somewhere in *text*, in whatever case; static/front.js decides alike."""
    return all(word in text.lower() for word in query.lower().split())


class FrontPage:
    """Keeps the front page's numbers, and its file.

    Args:
        hub: where the samples come from.
        dashboards: what the cards are for; those without a live source, and those with a problem, have no numbers.
        samplers: what may be in trouble.
        folder: where the file goes.
        build: the hash that makes an open page reload itself when it changes.
        shows_errors: whether everybody sees the errors of the user's own code: the file is the same for all viewers.
    """

    def __init__(
        self,
        hub: Hub,
        dashboards: Iterable[Dashboard],
        samplers: Samplers,
        folder: ServedFolder,
        *,
        build: str,
        shows_errors: bool,
    ) -> None:
        self._hub = hub
        self._dashboards = [one for one in dashboards if one.series]
        self._samplers = samplers
        self._folder = folder
        self._build = build
        self._shows_errors = shows_errors
        self._written_at = -EVERY_S  # monotonic, s
        self._lines: dict[tuple[str, float | None], tuple[int, Sparkline]] = {}  # with the newest seq that each has
        self.published = Front()  # last

    def publish(self) -> None:
        """Write the file, if the last one is old enough. Called by one thread."""
        if monotonic() - self._written_at < EVERY_S:
            return
        self.published = Front(
            build=self._build,
            time=now_ms(),
            problem=self._hub.problem,
            cards=tuple(self._card(one) for one in self._dashboards),
            undrawn=self.undrawn(),
        )
        body = json.encode(self.published)
        self._folder.replace_packed(FILE, body, level=5)
        self._folder.replace_plain(FILE, body)
        self._written_at = monotonic()

    def undrawn(self, query: str = "") -> Undrawn:
        """Return the series that nobody has drawn yet and that match *query*."""
        windows = self._hub.windows
        drawn = {name for one in self._dashboards for series in one.series for name in windows.matching(series)}
        names = [name for name in windows.names() if name not in drawn and matches(query, name)]
        rows = [
            UndrawnSeries(one.name, self._value_of(one), one.time) for one in windows.newest_samples(names[:UNDRAWN])
        ]
        return Undrawn(tuple(rows), len(names) - len(rows))

    def _value_of(self, one: NewestSample) -> str:
        return "no sample yet" if one.time is None else number_text(one.value, self._unit(one.name))

    def _unit(self, series: str) -> str:
        return self._hub.windows.units.get(series, "")

    def _card(self, dashboard: Dashboard) -> Card:
        names, _ = resolve(self._hub, dashboard.series)
        first = dashboard.views[0]
        name = next(iter(self._hub.windows.matching(first.series)), first.series)
        unit = first.unit or ("" if first.rate_s else self._unit(name))
        line = self._line(name, first.rate_s)
        troubles = self._samplers.troubles(dashboard.samplers, is_shown=self._shows_errors).items()
        return Card(
            name=dashboard.name,
            series=len(names),
            newest=self._hub.windows.newest_time(names),
            first=name,
            value=number_text(line.newest, unit),
            band=first.band(line.newest),
            label=in_words(name, line, unit),
            line=line.line,
            area=line.area,
            end=line.end,
            troubles=tuple(f"The sampler {name} is in trouble: {why}." for name, why in troubles),
        )

    def _line(self, series: str, rate_s: float | None) -> Sparkline:
        newest, line = self._lines.get((series, rate_s), (0, Sparkline()))
        if self._hub.windows.snapshot([series], since=newest).to != newest:  # it has grown, or was deleted
            snapshot = self._hub.windows.snapshot([series])
            columns = snapshot.series[0].columns
            line = sparkline(columns if rate_s is None else as_rate(columns, rate_s), *BOX)
            self._lines[series, rate_s] = snapshot.to, line
        return line
