"""Feeds and static files in the development server; under Apache these requests never reach Python."""

import mimetypes

from flask import Blueprint, Response, abort, request

from tidegauge.publish.feed import TAIL, WINDOW
from tidegauge.publish.front import FILE
from tidegauge.server.current import current_owner

blueprint = Blueprint("development", __name__)
FEED, DOCUMENTS = (TAIL, WINDOW), ("document.light.json", "document.dark.json")


@blueprint.get("/feeds/<name>/<file>")
def feed(name: str, file: str) -> Response:
    """Send a file of a feed, or the figures that it is drawn in: the same bytes and caching rule as Apache's."""
    one = current_owner().site.dashboards.get(name)
    if one is None or file not in (*DOCUMENTS, *(FEED if one.series else ())):
        abort(404)
    return _send(f"{name}/{file}")


@blueprint.get(f"/feeds/{FILE}")
def front() -> Response:
    """Send the front page's file: the same bytes and caching rule as Apache's."""
    return _send(FILE)


def _send(path: str) -> Response:
    body = (current_owner().run_folder.feeds / path).read_bytes()
    response = Response(body, mimetype="application/json", headers={"Cache-Control": "max-age=1"})
    response.add_etag()
    response.make_conditional(request)
    response.headers.pop("Date", None)  # the development server adds its own, and two are none
    return response


@blueprint.get("/static/<path:path>")
def static(path: str) -> Response:
    """Send a static file, uncompressed."""
    asset = current_owner().assets.at(path)
    if asset is None:
        abort(404)
    kind = mimetypes.guess_type(asset.source.name)[0] or "application/octet-stream"
    return Response(asset.source.read_bytes(), mimetype=kind, headers={"Cache-Control": "max-age=31536000, immutable"})
