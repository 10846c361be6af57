"""The pages: the front page, the dashboards, and the tutorial's endpoint."""

import msgspec
from flask import Blueprint, Response, jsonify, render_template, request

from app.cards import BOX, matches, text_of
from app.clock import format_ms, now_ms
from app.dashboard import Dashboard
from app.errors import BrokenDashboard, UnknownDashboard
from app.guard import EMBED_SCRIPT, current_house, page, root, sees_errors
from app.sparkline import duration
from app.tables import tables

blueprint = Blueprint("pages", __name__)
TUTORIAL = "exponential"
MAX_QUERY = 200  # characters
REFRESH_S = 30


def _dashboard(name: str) -> Dashboard:
    found = current_house().dashboards.get(name)
    if found is None:
        raise UnknownDashboard(name)
    if found.problem:
        shown = sees_errors()
        raise BrokenDashboard(name, found.told(shown=shown), found.trace if shown else "")
    return found


@blueprint.get("/")
def front() -> str | Response:
    """Send the front page: the dashboards, each with its state, and the series that nobody has drawn yet.

    ``?q=`` leaves those with all of its words; with ``&format=json`` the answer is such series alone, from among
    all, in the shape that the page's feed has them.
    """
    house = current_house()
    query = request.args.get("q", "")[:MAX_QUERY].strip()
    undrawn = house.cards.undrawn(query)
    if request.args.get("format") == "json":
        return Response(msgspec.json.encode(undrawn), mimetype="application/json")
    return render_template(
        "front.html",
        root=root(),
        address=f"http://localhost:{house.settings.port}{request.script_root}/",
        assets=house.assets,
        house=house,
        cards={card.name: card for card in house.cards.front.cards},
        undrawn=undrawn,
        query=query,
        matches=matches,
        text_of=text_of,
        age=lambda time: duration(max(0, now_ms() - time)),
        box=BOX,
    )


@blueprint.get("/dashboard/", defaults={"name": TUTORIAL})
@blueprint.get("/dashboard/<name>/")
def dashboard(name: str) -> Response:
    """Send a dashboard's page; its figures and numbers are fetched by the page itself.

    With ``?embed`` the view for a frame of another page: the figures alone, and the state when it is not live;
    ``&plot=`` shows one plot, by its number from 1 or its name; ``&theme=`` is light or dark, else the system's.
    """
    one = _dashboard(name)
    return page(
        "dashboard.html",
        title=one.title,
        description=one.description,
        bokehjs=one.bokehjs,
        document=f"feeds/{name}/document.$theme.json",
        feed=f"feeds/{name}/" if one.series else "",
        history=f"api/feed?dashboard={name}",
        table=f"dashboard/{name}/table/",
        troubles=current_house().sampler_troubles(one, shown=sees_errors()),
    )


@blueprint.get("/dashboard/<name>")
def dashboard_without_slash(name: str) -> Response:
    """Lead to a dashboard's page, whose links go by its slash; there is none for a name that is no dashboard's."""
    _dashboard(name)
    return Response(status=308, headers={"Location": f"{name}/"})


@blueprint.get(EMBED_SCRIPT)
def embed_script() -> Response:
    """Send the script by which a page of another origin embeds plots: one address for ever, kept for ten minutes."""
    body = current_house().assets["embed.js"].source.read_bytes()
    response = Response(body, mimetype="text/javascript", headers={"Cache-Control": "max-age=600"})
    response.add_etag()
    response.make_conditional(request)
    return response


@blueprint.get("/dashboard/<name>/table/")
def table(name: str) -> Response:
    """Send a dashboard's newest numbers as tables, without JavaScript; with ``?refresh`` it loads itself anew."""
    house = current_house()
    one = _dashboard(name)
    refreshes = "refresh" in request.args
    html = render_template(
        "table.html",
        root=root(),
        assets=house.assets,
        dashboard=one,
        tables=tables(house.hub, one),
        now=format_ms(now_ms()),
        refreshes=refreshes,
        refresh_s=REFRESH_S,
    )
    return Response(html, mimetype="text/html", headers={"Refresh": str(REFRESH_S)} if refreshes else {})


@blueprint.post("/data/")
def data() -> Response:
    """Count up by exactly one and return the pair ``{"x": [n], "y": [2**n]}``: the tutorial's endpoint.

    Columns of length one; x is a whole number from 1. y is exact and finite for ever: a whole number up to
    2**53, the last that JavaScript holds exactly among all its neighbours, a float above. From n = 1023 on, which
    polls every 2 s reach after 34 minutes, y stays at 2**1023, the largest power of two that a double
    holds: 2**1024 would be infinite, which JSON cannot carry. x goes on.
    """
    n = current_house().count()
    return jsonify(x=[n], y=[2**n if n <= 53 else 2.0 ** min(n, 1023)])
