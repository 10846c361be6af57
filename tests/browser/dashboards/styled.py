"""A plot that takes a colour from a style sheet."""

from bokeh.models import InlineStyleSheet
from bokeh.plotting import figure

from app.dashboards import dashboard, live


@dashboard(title="Styled")
def styled():
    sheet = InlineStyleSheet(css=":host { --bk-axis-line-color: rgb(255, 0, 0); }")
    plot = figure(title="Styled", x_axis_type="datetime", height=200, sizing_mode="stretch_width")
    plot.xaxis.stylesheets = [sheet]
    plot.line("t", "v", source=live("styled"))
    return plot
