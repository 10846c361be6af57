"""Reading series back over HTTP: by cursor, or by time."""

from pathlib import Path
from urllib.parse import urlencode

import msgspec
from flask import Blueprint, Response, jsonify, request

from app.clock import parse_ms
from app.errors import BadCursor, BadParameter, CursorGone
from app.guard import current_house
from app.journal import Row

blueprint = Blueprint("api", __name__)
PAGE_ROWS = 10_000


@blueprint.get("/api/openapi.json")
def description() -> Response:
    """Send what describes the rest of this module, and of push: OpenAPI 3.1."""
    return Response(Path(__file__).with_name("openapi.json").read_bytes(), mimetype="application/json")


@blueprint.get("/api/series")
def series() -> Response:
    """List every series with its newest sample; with ``?name=`` a page of the samples of one.

    The list: ``{"epoch", "series": [{"name", "seq", "time", "value", "unit"}, ...]}``. One series, in the order of
    ``seq``: ``{"epoch", "name", "to", "seq": [...], "t": [...], "v": [...]}``, or the rows ``seq,time,value`` as CSV
    with ``&format=csv``. Times are ms since the Unix epoch.

    ``&since=`` is the cursor of a reader, ``&from=`` and ``&to=`` a span of time (ms, or ISO 8601), ``&limit=`` the
    rows of a page, at most 10,000. ``Link: rel="next"`` leads to the next page; at the end to what is still to
    come, so who follows it for ever misses nothing.
    """
    name = request.args.get("name")
    if name is None:
        hub = current_house().hub
        newest = [
            {"name": n.name, "seq": n.seq, "time": n.time, "value": n.value, "unit": hub.units.get(n.name, "")}
            for n in hub.list()
        ]
        return jsonify(epoch=hub.epoch, series=newest)
    return _samples(name)


def _samples(name: str) -> Response:
    hub = current_house().hub
    since = cursor(request.args.get("since", "0"))
    if (epoch := request.args.get("epoch", hub.epoch)) != hub.epoch:
        raise CursorGone(since, 0, hub.epoch)
    limit = min(PAGE_ROWS, whole("limit", request.args.get("limit", str(PAGE_ROWS))))
    # Ahead in the same epoch: of several hosts another has answered before, and this one is a moment behind.
    is_behind = "epoch" in request.args and since > hub.newest
    rows = [] if is_behind else hub.read(name, since, start_ms=time("from"), end_ms=time("to"), limit=limit)
    to = rows[-1][0] if rows else since
    if request.args.get("format") == "csv" or request.accept_mimetypes.best == "text/csv":
        response = Response(_csv(rows), mimetype="text/csv")
    else:
        seq, t, v = (list(column) for column in zip(*rows, strict=True)) if rows else ([], [], [])
        body = {"epoch": hub.epoch, "name": name, "to": to, "seq": seq, "t": t, "v": v}
        response = Response(msgspec.json.encode(body), mimetype="application/json")
    onward = {key: value for key, value in request.args.items() if key not in {"since", "epoch"}}
    # Relative: the same under every prefix, and nothing of the Host header.
    response.headers["Link"] = f'<?{urlencode({**onward, "since": to, "epoch": epoch})}>; rel="next"'
    return response


def _csv(rows: list[Row]) -> str:
    lines = [f"{seq},{t},{'' if value is None else repr(value)}\n" for seq, t, value in rows]
    return "seq,time,value\n" + "".join(lines)


def cursor(given: str) -> int:
    """Return a cursor given in the URL, or raise BadCursor."""
    number = int(given) if given.isascii() and given.isdigit() and len(given) <= 16 else -1
    if not 0 <= number < 2**53:
        raise BadCursor(given)
    return number


def whole(name: str, given: str) -> int:
    """Return a whole number above 0 given in the URL, or raise BadParameter."""
    if not (given.isascii() and given.isdigit() and len(given) <= 16 and 0 < int(given) < 2**53):
        raise BadParameter(name, given, "a whole number from 1 to 2**53 - 1")
    return int(given)


def time(name: str) -> int | None:
    """Return a time given in the URL in ms since the Unix epoch, None if there is none; without a zone it is UTC."""
    given = request.args.get(name)
    if given is None:
        return None
    if given.lstrip("-").isascii() and given.lstrip("-").isdigit() and len(given) <= 16:
        return int(given)
    try:
        return parse_ms(given)
    except (ValueError, OverflowError):
        raise BadParameter(name, given, "ms since the Unix epoch, or a time such as 2026-11-23T12:00:00Z") from None
