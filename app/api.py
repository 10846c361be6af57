"""Reading series back over HTTP."""

import msgspec
from flask import Blueprint, Response, jsonify, request

from app.errors import BadCursor
from app.guard import current_house
from app.publisher import as_lists

blueprint = Blueprint("api", __name__)


@blueprint.get("/api/series")
def series() -> Response:
    """List every series with its newest sample; with ``?name=`` the samples of one, after ``&since=``.

    The list: ``{"epoch", "series": [{"name", "seq", "time", "value"}, ...]}``. One series: ``{"epoch", "name", "from",
    "to", "seq": [...], "t": [...], "v": [...]}``, at most a window; ``from`` is the newest sequence number that is
    no longer there, ``to`` the cursor to ask with next. Times are ms since the Unix epoch.
    """
    hub = current_house().hub
    name = request.args.get("name")
    if name is None:
        newest = [{"name": n.name, "seq": n.seq, "time": n.time, "value": n.value} for n in hub.list()]
        return jsonify(epoch=hub.epoch, series=newest)
    cursor = _cursor(request.args.get("since", "0"))
    columns, evicted = hub.read(name, cursor)
    to = columns.seq[-1] if columns.seq else cursor
    body = {"epoch": hub.epoch, "name": name, "from": evicted, "to": to, **as_lists(columns)}
    return Response(msgspec.json.encode(body), mimetype="application/json")


def _cursor(given: str) -> int:
    cursor = int(given) if given.isascii() and given.isdigit() and len(given) <= 16 else -1
    if not 0 <= cursor < 2**53:
        raise BadCursor(given)
    return cursor
