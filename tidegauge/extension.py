"""Tidegauge as an extension of Flask."""

from pathlib import Path

from flask import Flask, Response, request

from tidegauge.server.commands import group
from tidegauge.server.current import KEY
from tidegauge.server.owner import Owner
from tidegauge.server.process import start_where_served
from tidegauge.server.vitals import Vitals
from tidegauge.settings import Settings, load_settings
from tidegauge.web import access, create_web, error_answers
from tidegauge.web.mount import ENDPOINT, mount
from tidegauge.web.page_files import PageFiles

DASHBOARDS = "dashboards"  # the folder of an application's dashboard files, beside its templates


class Tidegauge:
    """Live Bokeh plots in a Flask application, below a prefix.

    ``Tidegauge(app, url_prefix="/live")`` is all that an application needs: under mod_wsgi and `flask run` it serves
    the dashboard files in the folder ``dashboards`` beside the application's module. It registers exactly its own
    rules, so that all else stays the application's: routes, error pages, hooks, host names and extensions.

    Args:
        app: the application; without one, call ``init_app``.
        url_prefix: where everything lies in it: "/" or a path such as "/live".
        home: the dashboard that lies at ``dashboard/`` itself; "": none does.
        settings: by default they are read from the environment and from ``app.config`` (``TIDEGAUGE_...``).
        has_process: the process is Tidegauge's alone, so its garbage collector and interpreter may be set to suit it.

    Raises:
        SettingsRefused: a setting cannot be used.
        ExtraMissing: a setting needs packages that are not installed.
    """

    def __init__(
        self,
        app: Flask | None = None,
        *,
        url_prefix: str = "/live",
        home: str = "",
        settings: Settings | None = None,
        has_process: bool = False,
    ) -> None:
        if not url_prefix.startswith("/") or (url_prefix != "/" and url_prefix.endswith("/")):
            raise ValueError(f"url_prefix={url_prefix!r}: expected / or a path such as /live")
        self.url_prefix = url_prefix
        self._home = home
        self._settings = settings
        self._has_process = has_process
        self.owner: Owner
        if app is not None:
            self.init_app(app)

    def init_app(self, app: Flask) -> None:
        """Add everything to *app*. Starts nothing but in the process that serves."""
        defaults = {"TIDEGAUGE_ROOT": app.instance_path}
        self.settings = self._settings or load_settings(config={**defaults, **app.config})
        own = Path(app.root_path) / DASHBOARDS
        folders = [own] if own.is_dir() else []
        self.owner = Owner(self.settings, folders, context=app.app_context, has_process=self._has_process)
        self._web = create_web(self.owner, self._home)
        self._page_files = PageFiles(self.owner, self._web.jinja_env, self._home)
        mount(app, self._web, self.url_prefix)
        app.extensions |= {"tidegauge": self, KEY: self.owner}
        app.cli.add_command(group)
        start_where_served(self)

    def start(self) -> None:
        """Begin to serve from this process; returns at once."""
        self.owner.start()
        self._page_files.start()

    def stop(self) -> None:
        """End what was started; nothing is lost by not calling this."""
        self._page_files.stop()
        self.owner.stop()

    def refuse(self, reason: str, cure: str) -> None:
        """Never serve from this process; *reason* completes "this process must not serve: "."""
        self.owner.refuse(reason, cure)

    @property
    def vitals(self) -> Vitals:
        """Readings of this very server, for samplers."""
        return self.owner.vitals

    def check_request(self) -> Response | None:
        """Look at the request at hand as Tidegauge's own URLs do, for a site that is to be guarded as they are.

        Raises:
            HostRefused: its Host header names another server.
            NotServing: this process must not serve.
        """
        is_own = (request.endpoint or "").startswith(ENDPOINT)  # which looks itself
        return None if is_own else access.check_request(self.owner)

    def answer_error(self, error: Exception) -> Response:
        """Return the answer to an error as Tidegauge's own URLs give it, for a site that wants to look alike."""
        with self._web.app_context():
            return error_answers.finish(error_answers.answer(error))
