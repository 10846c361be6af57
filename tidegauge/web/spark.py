"""One series as an image: a sparkline for a README, a wiki or a mail."""

from math import isnan

from flask import Blueprint, Response, render_template, request

from tidegauge.errors import BadParameter, UnknownSeries
from tidegauge.publish.sparkline import in_words, number_text, sparkline
from tidegauge.server.current import current_owner

blueprint = Blueprint("spark", __name__)
WIDTHS = (40, 2000)  # px
HEIGHTS = (12, 500)
LETTER = 0.62  # width of a digit, of its size; a little more than any system font's


@blueprint.after_request
def _let_others_show_it(response: Response) -> Response:
    if current_owner().settings.embedders:
        response.headers["Cross-Origin-Resource-Policy"] = "cross-origin"
    return response


@blueprint.get("/spark/<path:name>.svg")
def image(name: str) -> Response:
    """Send the window of the series *name* as a sparkline, an SVG image that needs nothing else.

    ``?width=`` and ``&height=`` are px, 240 by 48 by default; with ``&value=1`` the newest value stands beside the
    line. In the URL the name is percent-encoded but for its slashes. A name that begins with a slash, or has two in a
    row, has no such address: servers merge them.

    Raises:
        UnknownSeries: there is no such series.
        BadParameter: a width, a height or a value is none.
    """
    owner = current_owner()
    if name not in owner.hub.windows:
        raise UnknownSeries(name)
    width, height = _size("width", 240, WIDTHS), _size("height", 48, HEIGHTS)
    with_value = request.args.get("value", "0")
    if with_value not in {"0", "1"}:
        raise BadParameter("value", with_value, "0 or 1")
    columns = owner.hub.windows.snapshot([name]).series[0].columns.by_time()
    newest = next((value for value in reversed(columns.v) if not isnan(value)), None)
    unit = owner.hub.windows.units.get(name, "")
    text = number_text(newest, unit) if with_value == "1" else ""
    text_size = min(height * 0.45, 20, width / 2 / max(1, len(text) * LETTER))
    line_width = width - (round(len(text) * text_size * LETTER + 6) if text else 0)
    line = sparkline(columns, line_width, height, points=max(4, line_width // 3))
    svg = render_template(
        "spark.svg",
        name=name,
        described=in_words(name, line, unit),
        line=line,
        text=text,
        text_size=round(text_size, 1),
        width=width,
        height=height,
    )
    response = Response(svg, mimetype="image/svg+xml", headers={"Cache-Control": "max-age=5"})
    response.add_etag()
    response.make_conditional(request)
    return response


def _size(name: str, otherwise: int, bounds: tuple[int, int]) -> int:
    given = request.args.get(name, str(otherwise))
    if not (given.isascii() and given.isdigit() and len(given) < 6 and bounds[0] <= int(given) <= bounds[1]):
        raise BadParameter(name, given, f"a whole number from {bounds[0]} to {bounds[1]}, px")
    return int(given)
