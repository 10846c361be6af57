"""``/api/feed``: a feed of any series, and history for every page."""

from flask import Blueprint, Response, request

from tidegauge.dashboards.view import View
from tidegauge.errors import BadParameter, UnknownDashboard
from tidegauge.publish.feed import MATCHING, Series, history_series, resolve, tail_series, window_series
from tidegauge.server.current import current_owner
from tidegauge.store.thinning import rate, thin
from tidegauge.store.times import now_ms
from tidegauge.web.parameters import cursor, time, whole
from tidegauge.web.render import send_json

blueprint = Blueprint("feed", __name__)
COLUMNS = 800  # of the screen, by default and at most 4,000
POINTS = 40_000  # columns of all series together


@blueprint.get("/api/feed")
def feed() -> Response:
    """Send a feed of any series: ``?series=``, once or more often, a name or a pattern, or ``?dashboard=`` for its own.

    As a dashboard's window.json; with ``&since=<cursor>`` as its tail.json. With ``&span_s=`` or ``&from=&to=`` (ms
    since the Unix epoch, or ISO 8601) the history of that span, thinned to ``&columns=`` columns of a screen: of each
    the first, the last, the lowest and the highest sample. ``&rate_s=``: history of rates, as ``live(rate_s=)``.
    """
    hub, encoder = current_owner().hub, current_owner().site.encoder
    views = _asked_for()
    names, omitted = resolve(hub, [one.series for one in views])
    if "dashboard" not in request.args:  # that has as many as its file draws
        check_number(names)
    if span := _span():
        to, series = _history(views, *span)
        bounds = {"to": to}
    elif "since" in request.args:
        since = cursor(request.args["since"])
        snapshot = hub.windows.snapshot(names, since=since)
        bounds = {"from": max(since, snapshot.evicted), "to": snapshot.to}
        series = tail_series(snapshot)
    else:
        snapshot = hub.windows.snapshot(names)
        bounds, series = {"to": snapshot.to}, window_series(snapshot)
    return send_json(encoder.encode(bounds, series, omitted))


def _asked_for() -> list[View]:
    if (name := request.args.get("dashboard")) is not None:
        dashboard = current_owner().site.dashboards.get(name)
        if dashboard is None:
            raise UnknownDashboard(name)
        return list(dashboard.views)
    rate_s = float(whole("rate_s", request.args["rate_s"])) if "rate_s" in request.args else None
    return [View(name, rate_s=rate_s) for name in asked_series()]


def _span() -> tuple[int, int] | None:
    """Return the span of time that is asked for, ms since the Unix epoch, the end excluded; None for none."""
    if "span_s" in request.args:
        now = now_ms() + 1
        return now - 1000 * whole("span_s", request.args["span_s"]), now
    start, end = time("from"), time("to")
    if start is None and end is None:
        return None
    if start is None or end is None or not start < end:
        given = f"{request.args.get('from', '')} to {request.args.get('to', '')}"
        raise BadParameter("from, to", given, "both, from before to, or span_s")
    return start, end


def _history(views: list[View], start: int, end: int) -> tuple[int, list[Series]]:
    hub = current_owner().hub
    wanted = {(name, one.rate_s): None for one in views for name in resolve(hub, [one.series])[0]}
    to, found = hub.history(dict.fromkeys(name for name, _ in wanted), start, end)
    columns = min(whole("columns", request.args.get("columns", str(COLUMNS))), 4000, POINTS // max(1, len(wanted)))
    series: list[Series] = []
    for name, rate_s in wanted:
        t, v = found[name]
        if rate_s:
            t, v = rate(t, v, rate_s)
        t, v = thin(t, v, start, end, columns)
        series.append(history_series(name, hub.windows.units.get(name), rate_s, t, v))
    return to, series


def asked_series() -> list[str]:
    """Return the names and patterns of ``?series=``, each once."""
    names = list(dict.fromkeys(name for name in request.args.getlist("series") if name))
    check_number(names)
    return names


def check_number(names: list[str]) -> None:
    """Raise BadParameter where *names* are more than a feed has."""
    if len(names) > MATCHING:
        raise BadParameter("series", f"{len(names)} series", f"at most {MATCHING} series")
