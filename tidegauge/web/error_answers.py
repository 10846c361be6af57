"""The one shape of every error: JSON, or a page for a browser."""

from flask import Flask, Response, current_app, json, render_template, request
from werkzeug.exceptions import HTTPException

from tidegauge.errors import BrokenDashboard, TidegaugeError, problem_details
from tidegauge.server.current import current_owner
from tidegauge.web.render import is_embedded, policy, root

RETRY_AFTER_S = 5


def register(web: Flask) -> None:
    """Answer every error of *web* in one shape, and give every answer its headers."""
    web.after_request(finish)
    web.register_error_handler(Exception, answer)


def answer(error: Exception) -> Response:
    """Return the answer to a request that ended in *error*."""
    if isinstance(error, TidegaugeError):
        return _answer_ours(error)
    if isinstance(error, HTTPException):
        return _answer_http(error)
    # As a literal: a path may have line ends, and what follows one would look like a line of its own.
    current_app.logger.error("%s %r failed", request.method, request.path, exc_info=error)
    return _answer(500)


def _answer_ours(error: TidegaugeError) -> Response:
    trace = error.trace if isinstance(error, BrokenDashboard) else ""
    response = _answer(error.status, error.what, error.cure, trace)
    if error.status == 503:
        response.headers["Retry-After"] = str(RETRY_AFTER_S)
    return response


def _answer_http(error: HTTPException) -> Response:
    response = _answer(error.code or 500)
    for name, value in error.get_headers():
        if name in {"Allow", "Retry-After"}:
            response.headers[name] = value
    return response


def _answer(status: int, what: str = "", cure: str = "", trace: str = "") -> Response:
    body = problem_details(status, what, request.script_root + request.path, cure)
    if request.accept_mimetypes.best_match(["application/json", "text/html"]) == "text/html":
        page = render_template("error.html", root=root(), assets=current_owner().assets, trace=trace, **body)
        return Response(page, status, mimetype="text/html")
    return Response(json.dumps(body) + "\n", status, mimetype="application/problem+json")


def finish(response: Response) -> Response:
    """Give *response* the headers that every answer has."""
    if response.status_code == 401:
        response.headers["WWW-Authenticate"] = 'Basic realm="Tidegauge push"'
    response.headers.setdefault("Cache-Control", "no-store")
    if "mod_wsgi.version" not in request.environ or response.mimetype == "text/html":
        # Apache sets both itself, but for a page's policy (apache/tidegauge.conf): a push costs 8 us less without them.
        framed = policy(current_owner().settings, embed=is_embedded())  # an error is shown in the frame, too
        response.headers.setdefault("Content-Security-Policy", framed)
        response.headers.setdefault("X-Content-Type-Options", "nosniff")
    return response
