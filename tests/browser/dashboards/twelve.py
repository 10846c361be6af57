"""Twelve plots of a thousand points each."""

from bokeh.layouts import gridplot
from bokeh.plotting import figure

from tidegauge import dashboard, live


@dashboard(title="Twelve")
def twelve():
    plots = []
    for n in range(12):
        plot = figure(title=f"Twelve: {n}", x_axis_type="datetime", height=200, sizing_mode="stretch_width")
        plot.line("t", "v", source=live(f"twelve.v{{n={n}}}"))
        plots.append(plot)
    return gridplot(plots, ncols=3, sizing_mode="stretch_width")
