"""The live source: the Bokeh data source that a figure draws a series from."""

from math import isfinite
from typing import Any

from bokeh.core.properties import Bool, Color, Float, List, Nullable, Required, String
from bokeh.models import AjaxDataSource

from tidegauge.dashboards.view import View

NEWEST_COLUMNS = ("series", "label", "t", "v")


class LiveSource(AjaxDataSource):
    """Columns of one or more series, kept fresh by the page; see ``live``.

    Its JavaScript half is ``publish/static/source.js``. All live sources of a dashboard share one poller.
    """

    series = Required(String, help="The series that is drawn, or with * a pattern of names.")
    unit = String("", help="Of the values as they are drawn; empty: what the agents say.")
    description = String("", help="What the series is, a sentence.")
    warn = Nullable(Float, help="From this value on it is a warning.")
    bad = Nullable(Float, help="From this value on it is bad.")
    rate_s = Nullable(Float, help="Draw how much the series has grown in so many seconds.")
    newest = Bool(False, help="One row a series, its newest value.")
    palette = List(Color, help="Of the lines of a pattern; empty: all have the glyph's own.")

    @property
    def view(self) -> View:
        """What of it the server needs to know."""
        own: Any = self  # mypy takes a property for its class
        return View(own.series, own.unit, own.description, own.warn, own.bad, own.rate_s)


def live(
    series: str,
    *,
    unit: str = "",
    description: str = "",
    warn: float | None = None,
    bad: float | None = None,
    rate_s: float | None = None,
    newest: bool = False,
) -> LiveSource:
    """Return a live source of *series*, to be drawn by any glyph: ``plot.line("t", "v", source=live("name"))``.

    Its columns are ``t`` (ms since the Unix epoch) and ``v`` (NaN: a gap), in the order of ``t``: the newest
    ``TIDEGAUGE_WINDOW`` samples. Values are what was pushed or sampled, in its unit.

    Args:
        series: a name. With ``*``, which stands for any text, every series that matches is drawn by a glyph of its own,
            named in the legend by what the stars stand for; new ones appear by themselves, at most 100.
        unit: of the values as drawn, such as ``"%"``; by default what the agents say of the series.
        description: a sentence for who reads the plot.
        warn, bad: values from which on a state is a warning, or bad; with bad < warn, values up to which.
        rate_s: draw how much a count that only grows has grown in so many seconds, > 0: 1 for a rate a second. Where
            it falls it began anew, from 0.
        newest: one row a series, with its newest value, for bars, gauges and tables: the columns ``series`` (its
            name), ``label`` (what the stars stand for, or the name), ``t`` and ``v``.

    Raises:
        TypeError, ValueError: an argument is none of that.
    """
    for name, text in (("series", series), ("unit", unit), ("description", description)):
        if not isinstance(text, str):
            raise TypeError(f"live({series!r}, {name}={text!r}): {name} is a text")
    for name, number in (("warn", warn), ("bad", bad), ("rate_s", rate_s)):
        if number is not None and not isfinite(number):
            raise ValueError(f"live({series!r}, {name}={number!r}): {name} is a finite number")
    if rate_s is not None and rate_s <= 0:
        raise ValueError(f"live({series!r}, rate_s={rate_s!r}): rate_s is a number of seconds above 0")
    given: dict[str, Any] = {
        "series": series,
        "unit": unit,
        "description": description,
        "warn": warn,
        "bad": bad,
        "rate_s": rate_s,
        "newest": newest,
    }
    given["data"] = {name: [] for name in (NEWEST_COLUMNS if newest else ("t", "v"))}
    return LiveSource(data_url="", **given)
