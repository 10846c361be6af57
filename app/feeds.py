"""Feeds and static files in the development server; under Apache these requests never reach Python."""

import mimetypes

from flask import Blueprint, Response, abort, send_from_directory

from app.guard import current_house

blueprint = Blueprint("feeds", __name__)
FILES = ("tail.json", "window.json")


@blueprint.get("/feeds/<name>/<file>")
def feed(name: str, file: str) -> Response:
    """Send a feed's file: the same bytes, entity tag and caching rule as Apache's."""
    house = current_house()
    if name not in house.dashboards or file not in FILES:
        abort(404)
    response = send_from_directory(house.feeds, f"{name}/{file}", mimetype="application/json", max_age=1)
    response.headers["Cache-Control"] = "max-age=1"
    # Last-Modified alone would give a false 304 within a second; the server itself adds the one Date.
    for header in ("Last-Modified", "Date", "Expires", "Content-Disposition"):
        response.headers.pop(header, None)
    return response


@blueprint.get("/static/<path:path>")
def static(path: str) -> Response:
    """Send a static file, uncompressed."""
    asset = current_house().assets.at(path)
    if asset is None:
        abort(404)
    kind = mimetypes.guess_type(asset.source.name)[0] or "application/octet-stream"
    return Response(asset.source.read_bytes(), mimetype=kind, headers={"Cache-Control": "max-age=31536000, immutable"})
