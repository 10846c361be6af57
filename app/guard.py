"""Which requests are served, and the one shape of every error: JSON, or a page for a browser."""

import gzip
import hmac
import ipaddress
import re
import secrets
from base64 import b64decode
from binascii import Error as NotBase64
from collections.abc import Sequence
from functools import lru_cache
from hashlib import sha256
from urllib.parse import urlsplit

from flask import Flask, Response, current_app, json, render_template, request
from werkzeug.exceptions import HTTPException

from app.errors import PUSH_CURE, PUSH_REFUSED, BrokenDashboard, HostRefused, NotAllowed, TidegaugeError, problem
from app.house import House
from app.settings import Token

TRUSTED_TYPES = "require-trusted-types-for 'script'; trusted-types bokehjs"
# Sent where Apache does not set it (the development server), and on pages, which need their styles.
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'{style}; connect-src 'self'; img-src 'self' data: blob:; "
    "base-uri 'none'; form-action 'self'; frame-ancestors {frames}; " + TRUSTED_TYPES
)
NONCE = "tidegauge.nonce"  # in the environment of a request: the one to use, of pages that are kept as files
LIVENESS = "/health/live"
NEED_NO_DASHBOARD = {"push", "health", "metrics"}  # blueprints that answer while dashboards are being built
GZIP_BYTES = 2_000  # less is sent as it is
# What pages of other origins load: the script, and images where embedding is allowed.
EMBED_SCRIPT, IMAGES = "/embed.js", "/spark/"
SCHEME = re.compile(r"(Bearer|Token|Basic) +([!-~]+)", re.IGNORECASE)


def current_house() -> House:
    """Return the house of the application that handles this request."""
    house: House = current_app.extensions["house"]
    return house


@lru_cache(1000)
def is_accepted_host(host: str, accepted: frozenset[str]) -> bool:
    """Tell whether a Host header names this server: an IP address, a name without a dot, or one of *accepted*."""
    try:
        name = (urlsplit(f"//{host}").hostname or "").rstrip(".")
        ipaddress.ip_address(name)
        return True
    except ValueError:
        # urlsplit refuses what is no host at all; what ip_address refuses is a name.
        if not host or any(character in host for character in "/?#@\\ "):
            return False
        name = host.rsplit(":", 1)[0].rstrip(".").lower()
        return name.replace("-", "").replace("_", "").replace(".", "").isalnum() and (
            "." not in name or name.endswith(".localhost") or name in accepted
        )


def pusher() -> Token:
    """Return the push token that this request brings, or raise NotAllowed."""
    given = SCHEME.fullmatch(request.environ.get("HTTP_AUTHORIZATION", ""))
    secret = given[2] if given else ""
    # A browser that was once given the password adds it by itself, to what pages of other sites send, too.
    by_page = request.method != "GET" and ("Origin" in request.headers or "Sec-Fetch-Site" in request.headers)
    if given and given[1].lower() == "basic":
        try:
            secret = "" if by_page else b64decode(secret, validate=True).decode().partition(":")[2]
        except (NotBase64, UnicodeDecodeError):
            secret = ""
    digest = sha256(secret.encode()).digest()
    found = None
    for token in current_house().settings.push_tokens:  # all of them, each in constant time
        if hmac.compare_digest(token.digest, digest):
            found = token
    if found is None:
        # Who sent none is asked for one: some agents wait for that.
        raise NotAllowed(PUSH_REFUSED, PUSH_CURE, status=403 if "Authorization" in request.headers else 401)
    return found


def is_from_loopback() -> bool:
    """Tell whether this request was made on this host, and by no proxy on it."""
    # A proxy on this host makes everybody look local; it says so in one of these.
    forwarded = any(name in request.headers for name in ("X-Forwarded-For", "Forwarded", "Via", "X-Real-Ip"))
    return not forwarded and ipaddress.ip_address(request.remote_addr or "::").is_loopback


def sees_errors() -> bool:
    """Tell whether whoever makes this request may see why a user's own code fails: TIDEGAUGE_SHOW_ERRORS."""
    shown_to = current_house().settings.show_errors
    return shown_to == "everyone" or (shown_to == "loopback" and is_from_loopback())


def root() -> str:
    """Return the relative URL from this request's address to the application's front page.

    Pages use relative URLs alone: they are the same under every prefix and behind every proxy, and none
    is built from the Host header.
    """
    return "../" * (request.path.count("/") - 1) or "./"


def page(template: str, *, bokehjs: Sequence[str], **values: object) -> Response:
    """Render a page that draws figures: its policy allows BokehJS's styles, by a nonce.

    Args:
        bokehjs: names of the files of BokehJS that it needs.
    """
    house = current_house()
    nonce = request.environ.get(NONCE) or secrets.token_urlsafe(16)
    shared = {"root": root(), "assets": house.assets, "build": house.build, "nonce": nonce, "bokehjs": bokehjs}
    shared |= {"embed": is_embedded(), "embedders": house.settings.embedders}
    html = render_template(template, **shared, **values)
    allowed = policy(f"'nonce-{nonce}'")
    if "bokeh-tables.min.js" in bokehjs:  # its SlickGrid sets innerHTML, and styles in attributes
        allowed = policy("'unsafe-inline'").replace(TRUSTED_TYPES, "")
    return Response(html, mimetype="text/html", headers={"Content-Security-Policy": allowed})


def send_json(body: bytes) -> Response:
    """Return JSON as an answer, compressed for who takes it."""
    response = Response(body, mimetype="application/json", headers={"Vary": "Accept-Encoding"})
    if request.accept_encodings["gzip"] and len(body) > GZIP_BYTES:
        response.data = gzip.compress(body, 3)
        response.headers["Content-Encoding"] = "gzip"
    return response


def is_embedded() -> bool:
    """Tell whether this request is for the view of a dashboard that other pages may embed: ``?embed``."""
    return request.endpoint == "pages.dashboard" and "embed" in request.args


def policy(styles: str = "") -> str:
    """Return the Content-Security-Policy of the answer to this request; *styles* is a further source of styles.

    A page may be framed as an embedded view, by the origins of TIDEGAUGE_EMBED_ORIGINS and this one; in every other
    case by nobody.
    """
    embedders = current_house().settings.embedders
    frames = " ".join(["'self'", *embedders]) if embedders and is_embedded() else "'none'"
    return POLICY.format(style=f" {styles}" if styles else "", frames=frames)


def register(app: Flask) -> None:
    """Guard every request of *app*, and answer every error in one shape."""
    app.jinja_env.globals["sees_errors"] = sees_errors
    app.before_request(_check_request)
    app.after_request(_finish)
    app.register_error_handler(TidegaugeError, _answer_ours)
    app.register_error_handler(HTTPException, _answer_http)
    app.register_error_handler(Exception, _answer_unexpected)


def _check_request() -> Response | None:
    house, environ = current_house(), request.environ
    if not is_accepted_host(environ.get("HTTP_HOST") or request.host, house.settings.accepted_hosts):
        raise HostRefused
    if request.path != LIVENESS:
        needs_dashboards = request.blueprint not in NEED_NO_DASHBOARD
        house.check_serving(multiprocess=environ["wsgi.multiprocess"], needs_dashboards=needs_dashboards)
    if not environ.get("PATH_INFO"):  # the prefix itself, without its slash
        return Response(status=308, headers={"Location": environ["SCRIPT_NAME"].rsplit("/", 1)[-1] + "/"})
    return None


def _finish(response: Response) -> Response:
    if location := response.headers.get("Location"):
        # Werkzeug's own redirects repeat the Host header, in their text, too.
        response.headers["Location"] = urlsplit(location)._replace(scheme="", netloc="").geturl()
        response.set_data(b"")
    if response.status_code == 401:
        response.headers["WWW-Authenticate"] = 'Basic realm="Tidegauge push"'
    if request.path == EMBED_SCRIPT or (request.path.startswith(IMAGES) and current_house().settings.embedders):
        response.headers["Cross-Origin-Resource-Policy"] = "cross-origin"
    response.headers.setdefault("Cache-Control", "no-store")
    if "mod_wsgi.version" not in request.environ or response.mimetype == "text/html":
        # Apache sets both itself, but for a page's policy (apache/tidegauge.conf): a push costs 8 us less without them.
        response.headers.setdefault("Content-Security-Policy", policy())
        response.headers.setdefault("X-Content-Type-Options", "nosniff")
    return response


def _answer_ours(error: TidegaugeError) -> Response:
    trace = error.trace if isinstance(error, BrokenDashboard) else ""
    response = _answer(error.status, error.what, error.cure, trace)
    if error.status == 503:
        response.headers["Retry-After"] = "5"
    return response


def _answer_http(error: HTTPException) -> Response:
    response = _answer(error.code or 500)
    for name, value in error.get_headers():
        if name in {"Allow", "Retry-After"}:
            response.headers[name] = value
    return response


def _answer_unexpected(error: Exception) -> Response:
    # As a literal: a path may have line ends, and what follows one would look like a line of its own.
    current_app.logger.error("%s %r failed", request.method, request.path, exc_info=error)
    return _answer(500)


def _answer(status: int, what: str = "", cure: str = "", trace: str = "") -> Response:
    body = problem(status, what, request.script_root + request.path, cure)
    if request.accept_mimetypes.best_match(["application/json", "text/html"]) == "text/html":
        return Response(
            render_template("error.html", root=root(), assets=current_house().assets, trace=trace, **body),
            status,
            mimetype="text/html",
        )
    return Response(json.dumps(body) + "\n", status, mimetype="application/problem+json")
