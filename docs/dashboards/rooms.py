"""The rooms of a owner: what agents push, drawn by pattern."""

from bokeh.layouts import column, row
from bokeh.plotting import figure

from tidegauge import dashboard, live

SIZE = {"height": 260, "min_width": 340, "sizing_mode": "stretch_width"}


@dashboard(title="Rooms", description="Temperature, humidity and heating, pushed by the sensors.")
def rooms():
    temperature = figure(title="Temperature", x_axis_type="datetime", **SIZE)
    temperature.line("t", "v", source=live("room.temperature{room=*}", unit="°C", warn=26), line_width=2)
    humidity = figure(title="Humidity", x_axis_type="datetime", **SIZE)
    humidity.line("t", "v", source=live("room.humidity{room=*}", unit="%", warn=65, bad=75), line_width=2)
    heating = figure(title="Heating", x_axis_type="datetime", **SIZE)
    heating.varea("t", 0, "v", source=live("heating.energy", rate_s=3600, unit="kW"), fill_alpha=0.5)
    now = figure(title="Temperature now", x_range=[], **SIZE)
    now.vbar("label", top="v", width=0.7, source=live("room.temperature{room=*}", unit="°C", newest=True))
    wrap = {"sizing_mode": "stretch_width", "spacing": 12, "styles": {"flex-wrap": "wrap"}}
    return column(row(temperature, humidity, **wrap), row(heating, now, **wrap), sizing_mode="stretch_width")
