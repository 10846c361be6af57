"""The tutorial's dashboard: *Bokeh plots with Flask and AJAX*, made real.

The left plot is static. The right one asks ``POST /data/`` every two seconds, with Bokeh's own AjaxDataSource, and
appends the pair it gets. Every request counts up, so two viewers share one sequence and each sees
only a part of it; that is the tutorial's, and kept. A live source (see server.py) has one sequence for all.
"""

from bokeh.layouts import row
from bokeh.models import AjaxDataSource
from bokeh.plotting import figure

from tidegauge import dashboard


@dashboard(title="Exponential", description="The tutorial's page: a static plot, and one that grows by AJAX.")
def exponential():
    x = list(range(10))
    static = figure(title="y = 2**x", height=300, min_width=340, sizing_mode="stretch_width")
    static.line(x, [2**n for n in x], line_width=4)

    source = AjaxDataSource(data_url="../data/", polling_interval=2000, mode="append", data={"x": [], "y": []})
    growing = figure(
        title="y = 2**x, a point every two seconds", height=300, min_width=340, sizing_mode="stretch_width"
    )
    growing.line("x", "y", source=source, line_width=4)
    return row(static, growing, sizing_mode="stretch_width", styles={"flex-wrap": "wrap"})
