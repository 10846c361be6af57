"""What Python answers: a Flask application of our own, which is mounted in another one (``mount``)."""

from collections.abc import Callable
from typing import Any

from flask import Flask, Request, Response
from flask.sessions import NullSession, SessionInterface, SessionMixin
from werkzeug.routing import MapAdapter

from tidegauge.server.current import KEY
from tidegauge.server.owner import Owner
from tidegauge.web import (
    access,
    development,
    error_answers,
    explore,
    feed,
    health,
    metrics,
    pages,
    push,
    series,
    spark,
)
from tidegauge.web.mount import MATCHED


class WithoutSessions(SessionInterface):
    """There is nothing to remember of a client."""

    def open_session(self, app: Flask, request: Request) -> SessionMixin:  # noqa: ARG002
        """Return a session that takes nothing."""
        return NullSession()


class WebApplication(Flask):
    """Flask without what is not used here: a request goes through two applications, and each costs 45 us."""

    session_interface = WithoutSessions()

    def ensure_sync(self, func: Callable[..., Any]) -> Callable[..., Any]:
        """Return *func*: there is no async function."""
        return func

    def full_dispatch_request(self) -> Response:
        """Answer a request as Flask does, but for its signals, to which nobody listens here."""
        try:
            found = self.preprocess_request()
            if found is None:
                found = self.dispatch_request()
        except Exception as error:  # noqa: BLE001 - Flask's own way: error_answers has an answer to each
            found = self.handle_user_exception(error)
        return self.process_response(self.make_response(found))

    def do_teardown_request(self, exc: BaseException | None = None) -> None:
        """Do nothing: no function is registered for it."""

    def create_url_adapter(self, request: Request | None) -> MapAdapter | None:
        """Return none where the request was matched already (``mount``)."""
        if request is not None and (rule := request.environ.get(MATCHED)):
            request.url_rule, request.view_args = rule, {}
            return None
        return super().create_url_adapter(request)


def create_web(owner: Owner, home: str = "") -> WebApplication:
    """Build the application that answers for *owner*. Opens nothing and starts nothing.

    Args:
        home: the dashboard whose page lies at ``/dashboard/`` itself; "" for none.
    """
    web = WebApplication(__name__, static_folder=None)
    web.json.sort_keys = False  # type: ignore[attr-defined]  # of the default JSON provider
    web.extensions[KEY] = owner
    access.register(web)  # which requests are served
    error_answers.register(web)  # the one shape of every error
    web.register_blueprint(pages.blueprint)
    pages.place_home(web, home)
    web.register_blueprint(spark.blueprint)
    web.register_blueprint(development.blueprint)
    web.register_blueprint(series.blueprint)
    web.register_blueprint(feed.blueprint)
    web.register_blueprint(explore.blueprint)
    web.register_blueprint(push.blueprint)
    web.register_blueprint(health.blueprint)
    web.register_blueprint(metrics.blueprint)
    return web
