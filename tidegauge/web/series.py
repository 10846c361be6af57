"""Reading series back over HTTP: by cursor, or by time."""

from pathlib import Path
from urllib.parse import urlencode

import msgspec
from flask import Blueprint, Response, jsonify, request

from tidegauge.errors import CursorGone
from tidegauge.server.current import current_owner
from tidegauge.store.journal import Sample
from tidegauge.web.parameters import cursor, time, whole

blueprint = Blueprint("series", __name__)
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
        hub = current_owner().hub
        newest = [
            {"name": n.name, "seq": n.seq, "time": n.time, "value": n.value, "unit": hub.windows.units.get(n.name, "")}
            for n in hub.windows.newest_samples()
        ]
        return jsonify(epoch=hub.journal.epoch, series=newest)
    return _samples(name)


def _samples(name: str) -> Response:
    hub = current_owner().hub
    since = cursor(request.args.get("since", "0"))
    if (epoch := request.args.get("epoch", hub.journal.epoch)) != hub.journal.epoch:
        raise CursorGone(since, 0, hub.journal.epoch)
    limit = min(PAGE_ROWS, whole("limit", request.args.get("limit", str(PAGE_ROWS))))
    # Ahead in the same epoch: of several hosts another has answered before, and this one is a moment behind.
    is_behind = "epoch" in request.args and since > hub.windows.newest
    rows = [] if is_behind else hub.read(name, since, start_ms=time("from"), end_ms=time("to"), limit=limit)
    to = rows[-1][0] if rows else since
    if request.args.get("format") == "csv" or request.accept_mimetypes.best == "text/csv":
        response = Response(_csv(rows), mimetype="text/csv")
    else:
        seq, t, v = (list(column) for column in zip(*rows, strict=True)) if rows else ([], [], [])
        body = {"epoch": hub.journal.epoch, "name": name, "to": to, "seq": seq, "t": t, "v": v}
        response = Response(msgspec.json.encode(body), mimetype="application/json")
    onward = {key: value for key, value in request.args.items() if key not in {"since", "epoch"}}
    # Relative: the same under every prefix, and nothing of the Host header.
    response.headers["Link"] = f'<?{urlencode({**onward, "since": to, "epoch": epoch})}>; rel="next"'
    return response


def _csv(rows: list[Sample]) -> str:
    lines = [f"{seq},{t},{'' if value is None else repr(value)}\n" for seq, t, value in rows]
    return "seq,time,value\n" + "".join(lines)
