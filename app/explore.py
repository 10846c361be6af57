"""Explore: any series, drawn at once. Its page, the feed that it polls, and history for every page."""

from urllib.parse import urlencode

from flask import Blueprint, Response, request

from app.api import cursor, time, whole
from app.clock import now_ms
from app.drawn import Drawn
from app.errors import BadParameter, UnknownDashboard
from app.guard import current_house, page, send_json
from app.history import rate, thin
from app.publisher import MATCHING, resolve, tail_series, window_series

blueprint = Blueprint("explore", __name__)
GLYPHS = ("line", "step", "points", "area", "bars")
LISTED = 2000  # names to choose from
COLUMNS = 800  # of the screen, by default and at most 4,000
POINTS = 40_000  # columns of all series together


@blueprint.get("/api/feed")
def feed() -> Response:
    """Send a feed of any series: ``?series=``, once or more often, a name or a pattern, or ``?dashboard=`` for its own.

    As a dashboard's window.json; with ``&since=<cursor>`` as its tail.json. With ``&span_s=`` or ``&from=&to=`` (ms
    since the Unix epoch, or ISO 8601) the history of that span, thinned to ``&columns=`` columns of a screen: of each
    the first, the last, the lowest and the highest sample. ``&rate_s=``: history of rates, as ``live(rate_s=)``.
    """
    house = current_house()
    drawn = _asked_for()
    names, omitted = resolve(house.hub, [one.series for one in drawn])
    if "dashboard" not in request.args:  # that has as many as its file draws
        _check_number(names)
    if span := _span():
        to, series = _history(drawn, *span)
        bounds = {"to": to}
    elif "since" in request.args:
        since = cursor(request.args["since"])
        snapshot = house.hub.snapshot(names, since=since)
        bounds = {"from": max(since, snapshot.evicted), "to": snapshot.to}
        series = tail_series(snapshot)
    else:
        snapshot = house.hub.snapshot(names)
        bounds, series = {"to": snapshot.to}, window_series(snapshot)
    return send_json(house.encode_feed(bounds, series, omitted))


def _asked_for() -> list[Drawn]:
    if (name := request.args.get("dashboard")) is not None:
        dashboard = current_house().dashboards.get(name)
        if dashboard is None:
            raise UnknownDashboard(name)
        return list(dashboard.drawn)
    rate_s = float(whole("rate_s", request.args["rate_s"])) if "rate_s" in request.args else None
    return [Drawn(name, rate_s=rate_s) for name in _series()]


def _series() -> list[str]:
    names = list(dict.fromkeys(name for name in request.args.getlist("series") if name))
    _check_number(names)
    return names


def _check_number(names: list[str]) -> None:
    if len(names) > MATCHING:
        raise BadParameter("series", f"{len(names)} series", f"at most {MATCHING} series")


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


def _history(drawn: list[Drawn], start: int, end: int) -> tuple[int, list[dict[str, object]]]:
    hub = current_house().hub
    wanted = {(name, one.rate_s): None for one in drawn for name in resolve(hub, [one.series])[0]}
    to, found = hub.history(dict.fromkeys(name for name, _ in wanted), start, end)
    columns = min(whole("columns", request.args.get("columns", str(COLUMNS))), 4000, POINTS // max(1, len(wanted)))
    series: list[dict[str, object]] = []
    for name, rate_s in wanted:
        t, v = found[name]
        if rate_s:
            t, v = rate(t, v, rate_s)
        t, v = thin(t, v, start, end, columns)
        entry = {
            "name": name,
            "unit": hub.units.get(name),
            "rate_s": rate_s,
            "t": t.astype(int).tolist(),
            "v": v.tolist(),
        }
        series.append({key: value for key, value in entry.items() if value is not None})
    return to, series


@blueprint.get("/explore/")
def explore() -> Response:
    """Send the page that draws ``?series=``; ``&glyph=`` of GLYPHS, ``&together`` in one plot, ``&rate`` a second."""
    from app import explored  # loads Bokeh, see House

    house = current_house()
    names, glyph = _series(), _glyph()
    known = house.hub.names()
    unknown = [name for name in names if "*" not in name and name not in house.hub]
    series = urlencode([("series", name) for name in names])
    drawn = "".join(f"&{one}" for one in ("together", "rate") if one in request.args)
    rate_s = "&rate_s=1" if "rate" in request.args else ""
    return page(
        "explore.html",
        title="Explore",
        description="",
        bokehjs=("bokeh.min.js",),
        document=f"explore/document.json?theme=$theme&{series}&glyph={glyph}{drawn}" if names else "",
        feed=f"api/feed?{series}" if names else "",
        history=f"api/feed?{series}{rate_s}",
        names=names,
        known=known[:LISTED],
        unlisted=len(known[LISTED:]),
        unknown=unknown,
        glyph=glyph,
        glyphs=GLYPHS,
        troubles={},
        code=explored.as_file(names, glyph, **_options()) if names else "",
    )


@blueprint.get("/explore/document.json")
def document() -> Response:
    """Send the figures of that page, as Bokeh's ``json_item``."""
    from app import explored

    theme = "dark" if request.args.get("theme") == "dark" else "light"
    model = explored.draw(_series(), _glyph(), **_options())
    return send_json(explored.document(model, theme, current_house().settings.window))


def _glyph() -> str:
    glyph = request.args.get("glyph", GLYPHS[0])
    if glyph not in GLYPHS:
        raise BadParameter("glyph", glyph, f"one of {', '.join(GLYPHS)}")
    return glyph


def _options() -> dict[str, bool]:
    return {"together": "together" in request.args, "rate": "rate" in request.args}
