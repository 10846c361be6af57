"""The live source: the Bokeh data source that a figure draws a series from."""

from bokeh.core.properties import Required, String
from bokeh.models import AjaxDataSource


class LiveSource(AjaxDataSource):
    """Columns ``t`` (ms since the Unix epoch) and ``v`` (a gap is NaN) of one series, kept fresh by the page.

    Its JavaScript half is ``static/live.js``. All live sources of a dashboard share one poller.
    """

    series = Required(String, help="The series that is drawn.")


def live(series: str) -> LiveSource:
    """Return a live source of *series*, to be drawn by any glyph: ``plot.line("t", "v", source=live("name"))``.

    The newest ``TIDEGAUGE_WINDOW`` samples are shown, in the order of their times. Values are what was
    pushed or sampled, in its unit; times are UTC.
    """
    return LiveSource(series=series, data={"t": [], "v": []}, data_url="")  # type: ignore[call-arg]
