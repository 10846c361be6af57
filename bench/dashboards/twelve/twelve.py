"""A dashboard of twelve plots like the tutorial's, for what an update costs the browser."""

from bokeh.layouts import column
from bokeh.plotting import figure

from tidegauge import dashboard, live


@dashboard(title="Twelve")
def twelve():
    """Twelve plots, one below the other."""
    plots = []
    for n in range(12):
        plot = figure(height=300, sizing_mode="stretch_width", x_axis_type="datetime")
        plot.line("t", "v", source=live(f"twelve.v{{n={n}}}"), line_width=4)
        plots.append(plot)
    return column(plots, sizing_mode="stretch_width")
