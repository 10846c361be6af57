"""The pages: the front page and the dashboards."""

from pathlib import Path

import msgspec
from flask import Blueprint, Flask, Response, current_app, render_template, request

from tidegauge.dashboards.definition import Dashboard
from tidegauge.errors import BrokenDashboard, UnknownDashboard
from tidegauge.publish.front import BOX, matches, text_of
from tidegauge.publish.sparkline import duration
from tidegauge.server.current import current_owner
from tidegauge.server.owner import Owner
from tidegauge.store.times import format_ms, now_ms
from tidegauge.web.access import sees_errors
from tidegauge.web.render import current_renderer, is_embedded, new_nonce, root
from tidegauge.web.tables import tables

blueprint = Blueprint("pages", __name__)
EMBED_SCRIPT = "/embed.js"
HOME = "tidegauge.home"  # in the extensions of our own Flask application
MAX_QUERY = 200  # characters
REFRESH_S = 30


def place_home(web: Flask, home: str) -> None:
    """Have the dashboard *home* lie at ``/dashboard/`` itself, and at no other address; "": none does."""
    web.extensions[HOME] = home
    if home:
        web.add_url_rule("/dashboard/", endpoint="pages.dashboard", defaults={"name": home}, methods=["GET"])


def address(name: str, home: str) -> str:
    """Return the address of a dashboard's page, from the front page."""
    return "dashboard/" if name == home else f"dashboard/{name}/"


def _dashboard(name: str) -> Dashboard:
    found = current_owner().site.dashboards.get(name)
    if found is None:
        raise UnknownDashboard(name)
    if found.problem:
        is_shown = sees_errors()
        raise BrokenDashboard(name, found.problem_for(is_shown=is_shown), found.trace if is_shown else "")
    return found


@blueprint.get("/")
def front() -> str | Response:
    """Send the front page: the dashboards, each with its state, and the series that nobody has drawn yet.

    ``?q=`` leaves those with all of its words; with ``&format=json`` the answer is such series alone, from among
    all, in the shape that the page's feed has them.
    """
    owner = current_owner()
    site = owner.site
    query = request.args.get("q", "")[:MAX_QUERY].strip()
    undrawn = site.front_page.undrawn(query)
    if request.args.get("format") == "json":
        return Response(msgspec.json.encode(undrawn), mimetype="application/json")
    published, is_shown, home = site.front_page.published, sees_errors(), current_app.extensions[HOME]
    return render_template(
        "front.html",
        root=root(),
        server=f"http://localhost:{owner.settings.port}{request.script_root}/",
        port=owner.settings.port,
        takes_pushes=bool(owner.settings.push_tokens),
        assets=owner.assets,
        build=site.build,
        state=site.state,
        is_new=not query and _is_new(owner),
        dashboards=[
            {
                "name": one.name,
                "title": one.title,
                "description": one.description,
                "problem": one.problem_for(is_shown=is_shown),
                "address": address(one.name, home),
                "text": text_of(one),
            }
            for one in site.dashboards.values()
        ],
        cards={card.name: card for card in published.cards},
        problem=published.problem,
        undrawn=undrawn,
        query=query,
        matches=matches,
        age=lambda time: duration(max(0, now_ms() - time)),
        box=BOX,
    )


def _is_new(owner: Owner) -> bool:
    """Nothing here is its user's own yet: no dashboard in the folder for them, and no series that nobody draws."""
    if not owner.settings.dashboards:
        return False
    folder, site = Path(owner.settings.dashboards), owner.site
    own = [name for name in site.dashboards if (folder / name).exists() or (folder / f"{name}.py").exists()]
    return not own and not site.front_page.published.undrawn.series


@blueprint.get("/dashboard/<name>/")
def dashboard(name: str) -> Response:
    """Send a dashboard's page; its figures and numbers are fetched by the page itself.

    With ``?embed`` the view for a frame of another page: the figures alone, and the state when it is not live;
    ``&plot=`` shows one plot, by its number from 1 or its name; ``&theme=`` is light or dark, else the system's.
    """
    one = _dashboard(name)
    page = current_renderer().dashboard(
        one,
        path=request.path,
        nonce=new_nonce(),
        troubles=current_owner().site.samplers.troubles(one.samplers, is_shown=sees_errors()),
        embed=is_embedded(),
    )
    return page.response


@blueprint.get("/dashboard/<name>")
def dashboard_without_slash(name: str) -> Response:
    """Lead to a dashboard's page, whose links go by its slash; there is none for a name that is no dashboard's."""
    _dashboard(name)
    return Response(status=308, headers={"Location": f"{name}/"})


@blueprint.get(EMBED_SCRIPT)
def embed_script() -> Response:
    """Send the script by which a page of another origin embeds plots: one address for ever, kept for ten minutes."""
    body = current_owner().assets["embed.js"].source.read_bytes()
    headers = {"Cache-Control": "max-age=600", "Cross-Origin-Resource-Policy": "cross-origin"}
    response = Response(body, mimetype="text/javascript", headers=headers)
    response.add_etag()
    response.make_conditional(request)
    return response


@blueprint.get("/dashboard/<name>/table/")
def table(name: str) -> Response:
    """Send a dashboard's newest numbers as tables, without JavaScript; with ``?refresh`` it loads itself anew."""
    owner = current_owner()
    one = _dashboard(name)
    refreshes = "refresh" in request.args
    html = render_template(
        "table.html",
        root=root(),
        assets=owner.assets,
        dashboard=one,
        tables=tables(owner.hub, one),
        now=format_ms(now_ms()),
        refreshes=refreshes,
        refresh_s=REFRESH_S,
    )
    return Response(html, mimetype="text/html", headers={"Refresh": str(REFRESH_S)} if refreshes else {})
