"""Pages that draw figures, by a function of what they show; and what every answer shares."""

import gzip
import secrets
from collections.abc import Mapping
from dataclasses import dataclass

from flask import Response, current_app, request
from jinja2 import Environment

from tidegauge.dashboards.definition import Dashboard
from tidegauge.publish.assets import Assets
from tidegauge.server.current import current_owner
from tidegauge.settings import Settings

TRUSTED_TYPES = "require-trusted-types-for 'script'; trusted-types bokehjs"
# Sent where Apache does not set it (the development server), and on pages, which need their styles.
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'{style}; connect-src 'self'; img-src 'self' data: blob:; "
    "base-uri 'none'; form-action 'self'; frame-ancestors {frames}; " + TRUSTED_TYPES
)
GZIP_BYTES = 2_000  # less is sent as it is


def root() -> str:
    """Return the relative URL from this request's address to the application's front page.

    Pages use relative URLs alone: they are the same under every prefix and behind every proxy, and none
    is built from the Host header.
    """
    return root_of(request.path)


def root_of(path: str) -> str:
    """Return the relative URL from the address *path* to the front page."""
    return "../" * (path.count("/") - 1) or "./"


@dataclass(frozen=True)
class Page:
    """A page that draws figures, with the policy that it needs: BokehJS's styles are allowed by a nonce."""

    html: str
    policy: str

    @property
    def response(self) -> Response:
        """The page as an answer."""
        return Response(self.html, mimetype="text/html", headers={"Content-Security-Policy": self.policy})


@dataclass(frozen=True)
class Renderer:
    """Makes the pages of one address at one moment.

    Args:
        templates: where they are.
        assets: the files that pages load.
        build: the hash that makes an open page reload itself when it changes.
        settings: who may embed, and where.
    """

    templates: Environment
    assets: Assets
    build: str
    settings: Settings

    def page(
        self, template: str, *, path: str, nonce: str, bokehjs: tuple[str, ...], embed: bool = False, **values: object
    ) -> Page:
        """Render *template* for the address *path*.

        Args:
            bokehjs: names of the files of BokehJS that it needs.
            embed: the view of a dashboard that other pages may embed.
        """
        html = self.templates.get_template(template).render(
            root=root_of(path),
            assets=self.assets,
            build=self.build,
            nonce=nonce,
            bokehjs=bokehjs,
            embed=embed,
            embedders=self.settings.embedders,
            **values,
        )
        allowed = policy(self.settings, f"'nonce-{nonce}'", embed=embed)
        if "bokeh-tables.min.js" in bokehjs:  # its SlickGrid sets innerHTML, and styles in attributes
            allowed = policy(self.settings, "'unsafe-inline'", embed=embed).replace(TRUSTED_TYPES, "")
        return Page(html, allowed)

    def dashboard(
        self, one: Dashboard, *, path: str, nonce: str, troubles: Mapping[str, str], embed: bool = False
    ) -> Page:
        """Render the page of a dashboard; its figures and numbers are fetched by the page itself.

        Args:
            troubles: what is wrong with its samplers, by their names.
        """
        return self.page(
            "dashboard.html",
            path=path,
            nonce=nonce,
            bokehjs=one.bokehjs,
            embed=embed,
            title=one.title,
            description=one.description,
            document=f"feeds/{one.name}/document.$theme.json",
            feed=f"feeds/{one.name}/" if one.series else "",
            history=f"api/feed?dashboard={one.name}",
            table=f"dashboard/{one.name}/table/",
            troubles=troubles,
        )


def current_renderer() -> Renderer:
    """Return what makes the pages of the application that handles this request."""
    owner = current_owner()
    return Renderer(current_app.jinja_env, owner.assets, owner.site.build, owner.settings)


def is_embedded() -> bool:
    """Tell whether this request is for the view of a dashboard that other pages may embed: ``?embed``."""
    return request.endpoint == "pages.dashboard" and "embed" in request.args


def new_nonce() -> str:
    """Return a nonce for the styles of a page."""
    return secrets.token_urlsafe(16)


def policy(settings: Settings, styles: str = "", *, embed: bool = False) -> str:
    """Return the Content-Security-Policy of an answer; *styles* is a further source of styles.

    A page may be framed as an embedded view, by the origins of TIDEGAUGE_EMBED_ORIGINS and this one; in every other
    case by nobody.
    """
    frames = " ".join(["'self'", *settings.embedders]) if settings.embedders and embed else "'none'"
    return POLICY.format(style=f" {styles}" if styles else "", frames=frames)


def send_json(body: bytes) -> Response:
    """Return JSON as an answer, compressed for browsers that take it."""
    response = Response(body, mimetype="application/json", headers={"Vary": "Accept-Encoding"})
    if request.accept_encodings["gzip"] and len(body) > GZIP_BYTES:
        response.data = gzip.compress(body, 3)
        response.headers["Content-Encoding"] = "gzip"
    return response
