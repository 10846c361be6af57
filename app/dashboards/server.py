"""This very server's vitals, sampled every two seconds. Put load on it and the lines rise."""

from bokeh.layouts import row
from bokeh.models import NumeralTickFormatter
from bokeh.plotting import figure
from flask import current_app

from tidegauge import dashboard, live, sampler

vitals = current_app.extensions["tidegauge"].vitals  # a dashboard file is loaded in the application's context
ABSENT = vitals.absent  # what cannot be read on this server
EVERY_S = 2

request_metrics = vitals.request_metrics()


@sampler("process.cpu", every_s=EVERY_S)
def cpu():
    return vitals.cpu()


if "memory" not in ABSENT:

    @sampler("process.memory", every_s=EVERY_S)
    def memory():
        return vitals.memory()


if "apache_cpu" not in ABSENT:

    @sampler("apache.cpu", every_s=EVERY_S)
    def apache():
        return vitals.apache_cpu()


if "busy_workers" not in ABSENT:

    @sampler("apache.busy_workers", every_s=EVERY_S)
    def workers():
        return vitals.busy_workers()


if request_metrics:

    @sampler("daemon.requests", "daemon.busy_threads", "daemon.response_time", every_s=EVERY_S)
    def daemon():
        metrics = request_metrics()
        yield "daemon.requests", metrics["request_throughput"]
        yield "daemon.busy_threads", metrics["capacity_utilization"] * metrics["request_threads_maximum"]
        # Without a request there is no response time: a gap, not a zero.
        yield "daemon.response_time", metrics["request_time"] * 1000 if metrics["request_count"] else None


@sampler("journal.samples", "journal.commit_time", "journal.size", every_s=EVERY_S)
def journal():
    reading = vitals.journal()
    yield "journal.samples", reading["samples"]
    yield "journal.commit_time", reading["commit_ms"]
    yield "journal.size", reading["bytes"]


PLOTS = {
    "apache_cpu": [("apache.cpu", "Apache: CPU, share of one core")],
    "busy_workers": [("apache.busy_workers", "Apache: busy workers")],
    "requests": [
        ("daemon.requests", "Daemon process: requests a second"),
        ("daemon.busy_threads", "Daemon process: busy request threads"),
        ("daemon.response_time", "Daemon process: response time, ms"),
    ],
    "journal": [
        ("journal.samples", "Journal: samples kept, a second"),
        ("journal.commit_time", "Journal: mean time of a commit, ms"),
        ("journal.size", "Journal: size on the disk"),
    ],
    "cpu": [("process.cpu", "Python: CPU, share of one core")],
    "memory": [("process.memory", "Python: resident memory")],
}
FORMATS = {"apache.cpu": "0.0%", "process.cpu": "0.0%", "process.memory": "0 b", "journal.size": "0.0 b"}


@dashboard(title="This server", description=" ".join(["Apache and the daemon process, live.", *ABSENT.values()]))
def server():
    plots = [plot(*one) for group, ones in PLOTS.items() if group not in ABSENT for one in ones]
    return row(plots, spacing=12, sizing_mode="stretch_width", styles={"flex-wrap": "wrap"})


def plot(series, title):
    one = figure(title=title, x_axis_type="datetime", height=230, min_width=340)
    one.sizing_mode = "stretch_width"
    one.y_range.start = 0
    one.xaxis.ticker.desired_num_ticks = 3  # more of them overlap on a phone
    one.yaxis.formatter = NumeralTickFormatter(format=FORMATS.get(series, "0,0.[000]"))
    source = live(series)
    one.line("t", "v", source=source, line_width=2)
    one.scatter("t", "v", source=source, size=3)
    return one
