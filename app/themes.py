"""How figures look in light and in dark: the colours of the page (static/page.css), as Bokeh themes.

A theme is baked into a document when it is built, so there is one document a theme.
"""

from bokeh.model import Model
from bokeh.models.glyph import Glyph
from bokeh.models.plots import Plot
from bokeh.models.renderers import GlyphRenderer
from bokeh.themes import Theme

# Okabe and Ito's colours, told apart with any colour vision (https://jfly.uni-koeln.de/color/), darker on light and
# lighter on dark until each has a contrast of 3 to its ground (WCAG 2.2, 1.4.11).
COLOURS = {
    "light": ("#0072b2", "#d55e00", "#00835f", "#b3589a", "#8f6f00", "#2f87b8", "#1f2933"),
    "dark": ("#56b4e9", "#e69f00", "#00b388", "#e08fc0", "#f0e442", "#f2733c", "#dde3ea"),
}
BOKEH_BLUE = "#1f77b4"  # every glyph's colour by default


def colour(model: Model, theme: str) -> None:
    """Give the glyphs of *model* that have Bokeh's default colour one of the theme's, another for each data source.

    A theme cannot do that: `figure.line()` sets the default itself, and a set value wins over a theme.
    """
    colours = COLOURS[theme]
    for plot in model.select({"type": Plot}):
        by_source: dict[str, str] = {}
        for renderer in plot.renderers:  # type: ignore[attr-defined]
            if not isinstance(renderer, GlyphRenderer):
                continue
            glyphs = [glyph for glyph in renderer.references() if isinstance(glyph, Glyph)]
            blue = [(glyph, name) for glyph in glyphs for name in ("line_color", "fill_color", "hatch_color")]
            blue = [(glyph, name) for glyph, name in blue if getattr(glyph, name, None) == BOKEH_BLUE]
            if blue:
                chosen = by_source.setdefault(renderer.data_source.id, colours[len(by_source) % len(colours)])
                for glyph, name in blue:
                    setattr(glyph, name, chosen)


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
