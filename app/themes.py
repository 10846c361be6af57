"""How figures look in light and in dark: the colours of the page (static/page.css), as Bokeh themes.

A theme is baked into a document when it is built, so there is one document a theme.
"""

from bokeh.themes import Theme


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
