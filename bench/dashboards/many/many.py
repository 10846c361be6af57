"""A dashboard of 1,000 series, for the time from a push to its feed."""

from bokeh.plotting import figure

from tidegauge import dashboard, live


@dashboard(title="Many series")
def many():
    """1,000 lines in one plot."""
    plot = figure(x_axis_type="datetime", title="1,000 series")
    for number in range(1000):
        plot.line("t", "v", source=live(f"load.value{{host=h{number}}}"))
    return plot
