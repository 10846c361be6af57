"""The tutorial's application for today's Bokeh: a page that is built at every view, a number at every poll.

`twelve` is the same with as many plots as are asked for, each polling for itself.
"""

from itertools import count
from random import random

from bokeh import resources
from bokeh.embed import components
from bokeh.models import AjaxDataSource
from bokeh.plotting import figure
from flask import Flask, Response, jsonify, render_template_string, request

application = Flask(__name__)
x = count(1)
BOKEHJS = resources.Resources("server").base_dir / "js/bokeh.min.js"
LAYOUT = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<title>Bokeh sample</title>
<script src="{{ request.url_root }}bokeh.min.js"></script>
</head>
<body>
<h1>Bokeh sample</h1>
{% for script, div in plots %}
{{ div | safe }}
{{ script | safe }}
{% endfor %}
</body>
</html>
"""


def _plot(source: AjaxDataSource | None = None) -> figure:
    plot = figure(height=300, sizing_mode="scale_width")
    if source:
        plot.line("x", "y", source=source, line_width=4)
    else:
        plot.line(list(range(10)), [2**n for n in range(10)], line_width=4)
    return plot


def _source(url: str, every_ms: int, points: int = 0) -> AjaxDataSource:
    columns = {"x": list(range(points)), "y": [random() for _ in range(points)]}
    return AjaxDataSource(data=columns, data_url=request.url_root + url, polling_interval=every_ms, mode="append")


@application.get("/dashboard/")
def dashboard() -> str:
    """Send the static plot and the one that polls."""
    plots = [_plot(), _plot(_source("data/", 2000))]
    return render_template_string(LAYOUT, plots=[components(plot) for plot in plots])


@application.post("/data/")
def data() -> Response:
    """Count up; 2**1023 is the last power that a reader of JSON holds."""
    n = next(x)
    return jsonify(x=[n], y=[2.0 ** min(n, 1023)])


@application.get("/twelve/")
def twelve() -> str:
    """Send twelve plots of 1,000 points, polled as often as ``?every_ms=`` says."""
    every_ms = int(request.args["every_ms"])
    plots = [_plot(_source("random/", every_ms, points=1000)) for _ in range(12)]
    return render_template_string(LAYOUT, plots=[components(plot) for plot in plots])


@application.post("/random/")
def random_point() -> Response:
    """Count up, as the plots need their numbers on one scale."""
    return jsonify(x=[next(x) + 1000], y=[random()])


@application.get("/bokeh.min.js")
def bokehjs() -> Response:
    """Send what the tutorial's page loads from a CDN."""
    return Response(BOKEHJS.read_bytes(), mimetype="text/javascript", headers={"Cache-Control": "max-age=3600"})
