"""The newest numbers of a dashboard as text, for pages that need no JavaScript."""

from dataclasses import dataclass
from math import isnan

from app.clock import format_ms
from app.dashboard import Dashboard
from app.drawn import VERDICTS, Drawn
from app.history import as_rate
from app.hub import Hub, SeriesSnapshot
from app.publisher import resolve

ROWS = 20  # a series


@dataclass(frozen=True)
class Table:
    """One series: ``rows`` are the times (UTC) and values of its newest samples, the newest first.

    ``verdict`` is what its newest value means: "warning", "bad" or "".
    """

    name: str
    unit: str
    description: str
    verdict: str
    rows: tuple[tuple[str, str], ...]


def tables(hub: Hub, dashboard: Dashboard) -> list[Table]:
    """Return a table for every series that *dashboard* draws, those of a pattern too, each once: values as drawn."""
    drawn: dict[str, Drawn] = {}
    for one in dashboard.drawn:
        for name in resolve(hub, [one.series])[0]:
            drawn.setdefault(name, one)
    return [_table(snapshot, drawn[snapshot.name]) for snapshot in hub.snapshot(drawn).series]


def _table(snapshot: SeriesSnapshot, drawn: Drawn) -> Table:
    _, times, values = snapshot.columns.by_time() if drawn.rate_s is None else as_rate(snapshot.columns, drawn.rate_s)
    newest = list(zip(times, values, strict=True))[: -ROWS - 1 : -1]
    band = drawn.band(newest[0][1]) if newest else ""
    return Table(
        snapshot.name,
        drawn.unit or (snapshot.unit if drawn.rate_s is None else ""),
        drawn.description,
        VERDICTS[band],
        tuple((format_ms(t), _text(v)) for t, v in newest),
    )


def _text(value: float) -> str:
    if isnan(value):
        return "no value"
    # Six digits are what a page shows; whole numbers are whole.
    return f"{value:.0f}" if value.is_integer() and abs(value) < 1e15 else f"{value:.6g}"
