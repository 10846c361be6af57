"""The newest numbers of a dashboard as text, for pages that need no JavaScript."""

from dataclasses import dataclass
from math import isnan

from tidegauge.dashboards.definition import Dashboard
from tidegauge.dashboards.view import View
from tidegauge.publish.feed import resolve
from tidegauge.store.hub import Hub
from tidegauge.store.snapshot import SeriesSnapshot
from tidegauge.store.thinning import as_rate
from tidegauge.store.times import format_ms

ROWS = 20  # a series


@dataclass(frozen=True)
class Table:
    """One series: ``rows`` are the times (UTC) and values of its newest samples, the newest first.

    ``band`` is what its newest value means: "warn", "bad" or "".
    """

    name: str
    unit: str
    description: str
    band: str
    rows: tuple[tuple[str, str], ...]


def tables(hub: Hub, dashboard: Dashboard) -> list[Table]:
    """Return a table for every series that *dashboard* draws, those of a pattern too, each once: values as drawn."""
    views: dict[str, View] = {}
    for one in dashboard.views:
        for name in resolve(hub, [one.series])[0]:
            views.setdefault(name, one)
    return [_table(snapshot, views[snapshot.name]) for snapshot in hub.windows.snapshot(views).series]


def _table(snapshot: SeriesSnapshot, view: View) -> Table:
    _, times, values = snapshot.columns.by_time() if view.rate_s is None else as_rate(snapshot.columns, view.rate_s)
    newest = list(zip(times, values, strict=True))[: -ROWS - 1 : -1]
    band = view.band(newest[0][1]) if newest else ""
    return Table(
        snapshot.name,
        view.unit or (snapshot.unit if view.rate_s is None else ""),
        view.description,
        band,
        tuple((format_ms(t), _text(v)) for t, v in newest),
    )


def _text(value: float) -> str:
    if isnan(value):
        return "no value"
    # Six digits are what a page shows; whole numbers are whole.
    return f"{value:.0f}" if value.is_integer() and abs(value) < 1e15 else f"{value:.6g}"
