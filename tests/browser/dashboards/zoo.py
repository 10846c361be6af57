"""Everything that live() can draw, from numbers that are pushed."""

from bokeh.layouts import column
from bokeh.models import DataTable, TableColumn
from bokeh.plotting import figure

from tidegauge import dashboard, live

SIZE = {"height": 220, "sizing_mode": "stretch_width"}


@dashboard(title="Zoo")
def zoo():
    lines = figure(title="Usage", x_axis_type="datetime", **SIZE)
    lines.line(
        "t", "v", source=live("usage{host=*}", unit="%", warn=80, bad=95, description="How busy it is."), line_width=2
    )
    rates = figure(title="Traffic", x_axis_type="datetime", **SIZE)
    rates.line("t", "v", source=live("traffic", rate_s=1, unit="B/s"))
    newest = live("usage{host=*}", newest=True, unit="%")
    bars = figure(title="Now", x_range=[], **SIZE)
    bars.vbar("label", top="v", width=0.8, source=newest)
    columns = [TableColumn(field="label", title="Host"), TableColumn(field="v", title="Usage")]
    table = DataTable(source=newest, columns=columns, height=140, sizing_mode="stretch_width")
    later = figure(title="Later", x_axis_type="datetime", **SIZE)
    later.line("t", "v", source=live("later{host=*}", unit="°C"))
    return column(lines, rates, bars, table, later, sizing_mode="stretch_width")
