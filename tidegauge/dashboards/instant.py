"""The figures of Explore: drawn, and written as the dashboard file that draws them."""

from dataclasses import dataclass
from typing import Any

import msgspec
from bokeh.embed import json_item
from bokeh.layouts import column
from bokeh.model import Model
from bokeh.plotting import figure

from tidegauge.dashboards.source import LiveSource, live
from tidegauge.dashboards.themes import house_style, themes

PLOTS = 20  # apart; more are drawn together

# Method, arguments and options of each glyph.
_CALLS: dict[str, tuple[str, tuple[object, ...], dict[str, object]]] = {
    "line": ("line", ("t", "v"), {"line_width": 2}),
    "step": ("step", ("t", "v"), {"mode": "after", "line_width": 2}),
    "points": ("scatter", ("t", "v"), {"size": 4}),
    "area": ("varea", ("t", 0, "v"), {"fill_alpha": 0.5}),
    "bars": ("vbar", ("label",), {"top": "v", "width": 0.8}),
}


@dataclass(frozen=True)
class Plot:
    """A figure of Explore: what ``figure`` and ``live`` are called with, and the names that it draws."""

    names: list[str]
    options: dict[str, Any]
    source: dict[str, Any]


def _plots(names: list[str], glyph: str, *, together: bool, rate: bool) -> list[Plot]:
    groups = [names] if together or len(names) > PLOTS else [[name] for name in names]
    source: dict[str, Any] = {"newest": True} if glyph == "bars" else {"rate_s": 1} if rate else {}
    axis: dict[str, Any] = {"x_range": []} if glyph == "bars" else {"x_axis_type": "datetime"}
    size = {"height": 300, "sizing_mode": "stretch_width"}
    titles = [group[0] if len(group) == 1 else f"{len(group)} series" for group in groups]
    return [Plot(group, {"title": title, **axis, **size}, source) for group, title in zip(groups, titles, strict=True)]


def draw(names: list[str], glyph: str, *, together: bool, rate: bool) -> Model:
    """Return the figures of *names*: one each, or all in one."""
    method, arguments, options = _CALLS[glyph]
    figures = []
    for one in _plots(names, glyph, together=together, rate=rate):
        plot: Any = figure(**one.options)
        for name in one.names:
            legend = {"legend_label": name} if len(one.names) > 1 else {}
            getattr(plot, method)(*arguments, source=live(name, **one.source), **options, **legend)
        figures.append(plot)
    return column(figures, sizing_mode="stretch_width")


def document(model: Model, theme: str, window: int) -> bytes:
    """Return *model* as Bokeh's ``json_item``, its sources limited to *window* samples."""
    for source in model.select({"type": LiveSource}):
        source.update(max_size=window)
    for one in house_style(model):
        one.apply(theme)
    return msgspec.json.encode(json_item(model, theme=themes()[theme]))


def as_file(names: list[str], glyph: str, *, together: bool, rate: bool) -> str:
    """Return the dashboard file that draws what ``draw`` does."""
    method, arguments, options = _CALLS[glyph]
    lines = []
    for one in _plots(names, glyph, together=together, rate=rate):
        lines.append(f"plot = figure({', '.join(_written(one.options))})")
        for name in one.names:
            legend = {"legend_label": name} if len(one.names) > 1 else {}
            source = f"source=live({', '.join([repr(name), *_written(one.source)])})"
            drawn = ", ".join([*map(repr, arguments), source, *_written(options | legend)])
            lines.append(f"plot.{method}({drawn})")
        lines.append("plots.append(plot)")
    body = "\n    ".join(lines)
    return f"""\
from bokeh.layouts import column
from bokeh.plotting import figure

from tidegauge import dashboard, live


@dashboard(title="Explored")
def page():
    plots = []
    {body}
    return column(plots, sizing_mode="stretch_width")
"""


def _written(options: dict[str, Any]) -> list[str]:
    return [f"{name}={value!r}" for name, value in options.items()]
