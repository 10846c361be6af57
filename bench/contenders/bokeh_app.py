"""An application of Bokeh Server: a plot, and a callback that sends a point to each open session every 2 s."""

from itertools import count

from bokeh.io import curdoc
from bokeh.models import ColumnDataSource
from bokeh.plotting import figure

x = count(1)
source = ColumnDataSource({"x": [], "y": []})
plot = figure(height=300, sizing_mode="scale_width")
plot.line("x", "y", source=source, line_width=4)


def append() -> None:
    """Send a point."""
    n = next(x)
    source.stream({"x": [n], "y": [2.0**n]}, 1000)


curdoc().add_root(plot)
curdoc().add_periodic_callback(append, 2000)
