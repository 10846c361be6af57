"""How figures look in light and in dark: the colours of the page (static/page.css), as Bokeh themes.

A theme is baked into a document when it is built, so there is one document a theme.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from bokeh.model import Model
from bokeh.models.annotations import Legend, Span
from bokeh.models.glyph import Glyph
from bokeh.models.plots import Plot
from bokeh.models.renderers import GlyphRenderer
from bokeh.models.widgets.tables import TableWidget
from bokeh.themes import Theme

from tidegauge.dashboards.source import LiveSource

# Okabe and Ito's colours, told apart with any colour vision (https://jfly.uni-koeln.de/color/), darker on light and
# lighter on dark until each has a contrast of 3 to its ground (WCAG 2.2, 1.4.11).
COLOURS = {
    "light": ("#0072b2", "#d55e00", "#00835f", "#b3589a", "#8f6f00", "#2f87b8", "#1f2933"),
    "dark": ("#56b4e9", "#e69f00", "#00b388", "#e08fc0", "#f0e442", "#f2733c", "#dde3ea"),
}
# As in static/page.css.
BANDS = {"light": {"warn": "#9a5b00", "bad": "#b3261e"}, "dark": {"warn": "#f0b35a", "bad": "#ff8a80"}}
# BokehJS's tables are light, whatever the theme; they know the page's own colours.
TABLE = """
    :is(.slick-header-column, .slick-row, .slick-cell) {
        background: var(--paper) !important;
        color: var(--ink) !important;
        border-color: var(--faint) !important;
    }
    .slick-viewport { background: var(--paper) !important; }
"""
STATES = ("selection", "nonselection", "hover", "muted")
BOKEH_BLUE = "#1f77b4"  # every glyph's colour by default


class ThemedProperty(NamedTuple):
    """A property of a model whose value is another in each theme."""

    model: Model
    name: str
    values: Mapping[str, Any]  # by theme

    def apply(self, theme: str) -> None:
        """Give the model what it has in *theme*."""
        setattr(self.model, self.name, self.values[theme])


def house_style(model: Model) -> list[ThemedProperty]:
    """Give *model* what a Bokeh theme cannot: bands, legends for patterns, and what is returned, its colours."""
    themed: list[ThemedProperty] = []
    models = model.references()
    for table in (one for one in models if isinstance(one, TableWidget)):
        table.stylesheets = [TABLE]
    for plot in (one for one in models if isinstance(one, Plot)):
        renderers = [one for one in plot.renderers if isinstance(one, GlyphRenderer)]
        themed += _colours(renderers)
        sources: dict[str, Any] = {
            one.data_source.id: one.data_source for one in renderers if isinstance(one.data_source, LiveSource)
        }
        for source in sources.values():
            for band, edge in (("warn", source.warn), ("bad", source.bad)):
                if edge is not None:
                    line = Span(location=edge, dimension="width", line_dash=[6, 4])
                    plot.add_layout(line)
                    themed.append(ThemedProperty(line, "line_color", {theme: of[band] for theme, of in BANDS.items()}))
        if any("*" in source.series and not source.newest for source in sources.values()) and not plot.legend:
            plot.add_layout(Legend())
    return themed


def _colours(renderers: Sequence[Any]) -> Iterator[ThemedProperty]:
    """Yield one of COLOURS for the glyphs that have Bokeh's default colour, another for each data source.

    A theme cannot do that: `figure.line()` sets the default itself, and a set value wins over a theme.
    """
    numbers: dict[str, int] = {}  # of the colour, by the source's id
    for renderer in renderers:
        # Not by `references()`, which collects all that hangs on the data source: a third of a start.
        states = (renderer.glyph, *(getattr(renderer, f"{state}_glyph") for state in STATES))
        glyphs = [glyph for glyph in states if isinstance(glyph, Glyph)]
        blue = [(glyph, name) for glyph in glyphs for name in ("line_color", "fill_color", "hatch_color")]
        blue = [(glyph, name) for glyph, name in blue if getattr(glyph, name, None) == BOKEH_BLUE]
        if blue:
            source: Any = renderer.data_source
            number = numbers.setdefault(source.id, len(numbers))
            chosen = {theme: colours[number % len(colours)] for theme, colours in COLOURS.items()}
            for glyph, name in blue:
                yield ThemedProperty(glyph, name, chosen)
            if isinstance(renderer.data_source, LiveSource) and "*" in source.series:
                yield ThemedProperty(source, "palette", {theme: list(colours) for theme, colours in COLOURS.items()})


def _theme(*, paper: str, ink: str, faint: str) -> Theme:
    text = {"text_color": ink, "text_font": "system-ui, sans-serif"}
    return Theme(
        json={
            "attrs": {
                "Plot": {
                    "background_fill_color": paper,
                    "border_fill_color": paper,
                    "outline_line_color": None,
                    "min_border_left": 60,
                },
                "Title": {**text, "text_font_size": "14px", "text_font_style": "normal"},
                "Axis": {
                    "major_label_text_color": ink,
                    "major_label_text_font": text["text_font"],
                    "major_label_text_font_size": "12px",
                    "axis_label_text_color": ink,
                    "axis_label_text_font": text["text_font"],
                    "axis_label_text_font_size": "12px",
                    "axis_label_text_font_style": "normal",
                    "axis_line_color": faint,
                    "major_tick_line_color": faint,
                    "minor_tick_line_color": None,
                },
                "Grid": {"grid_line_color": faint},
                "Legend": {
                    "location": "top_left",  # the newest samples are at the right
                    "background_fill_color": paper,
                    "border_line_color": faint,
                    "label_text_color": ink,
                    "label_text_font": text["text_font"],
                },
                "Toolbar": {"logo": None, "autohide": True},
            }
        }
    )


def themes() -> dict[str, Theme]:
    """Return the themes by name: ``light`` and ``dark``."""
    return {
        "light": _theme(paper="#ffffff", ink="#1f2933", faint="#d9dee4"),
        "dark": _theme(paper="#171c22", ink="#dde3ea", faint="#37414d"),
    }
