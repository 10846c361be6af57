"""Explore: any series, drawn at once."""

from urllib.parse import urlencode

from flask import Blueprint, Response, request

from tidegauge.errors import BadParameter
from tidegauge.server.current import current_owner
from tidegauge.web.feed import asked_series
from tidegauge.web.render import current_renderer, new_nonce, send_json

blueprint = Blueprint("explore", __name__)
GLYPHS = ("line", "step", "points", "area", "bars")
LISTED = 2000  # names to choose from


@blueprint.get("/explore/")
def explore() -> Response:
    """Send the page that draws ``?series=``; ``&glyph=`` of GLYPHS, ``&together`` in one plot, ``&rate`` a second."""
    from tidegauge.dashboards import instant  # loads Bokeh

    hub = current_owner().hub
    names, glyph = asked_series(), _glyph()
    known = hub.windows.names()
    unknown = [name for name in names if "*" not in name and name not in known]
    series = urlencode([("series", name) for name in names])
    drawn = "".join(f"&{one}" for one in ("together", "rate") if one in request.args)
    rate_s = "&rate_s=1" if "rate" in request.args else ""
    return (
        current_renderer()
        .page(
            "explore.html",
            path=request.path,
            nonce=new_nonce(),
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
            code=instant.as_file(names, glyph, **_options()) if names else "",
        )
        .response
    )


@blueprint.get("/explore/document.json")
def document() -> Response:
    """Send the figures of that page, as Bokeh's ``json_item``."""
    from tidegauge.dashboards import instant

    theme = "dark" if request.args.get("theme") == "dark" else "light"
    model = instant.draw(asked_series(), _glyph(), **_options())
    return send_json(instant.document(model, theme, current_owner().settings.window))


def _glyph() -> str:
    glyph = request.args.get("glyph", GLYPHS[0])
    if glyph not in GLYPHS:
        raise BadParameter("glyph", glyph, f"one of {', '.join(GLYPHS)}")
    return glyph


def _options() -> dict[str, bool]:
    return {"together": "together" in request.args, "rate": "rate" in request.args}
