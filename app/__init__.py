"""Tidegauge: live Bokeh dashboards behind the Apache you already run."""

from collections.abc import Callable
from typing import Any

from flask import Flask

from app import api, commands, explore, feeds, guard, health, metrics, pages, spark
from app.house import House
from app.push import routes as push
from app.settings import Settings, load_settings


class Tidegauge(Flask):
    """Flask without a look at whether each function is async, of which there is none here: 3 us a request."""

    def ensure_sync(self, func: Callable[..., Any]) -> Callable[..., Any]:
        """Return *func*."""
        return func


def create_app(settings: Settings | None = None) -> Flask:
    """Build the application. Opens nothing and starts nothing; `app.serving.open_house` does.

    Args:
        settings: by default they are read from the environment.

    Raises:
        SettingsRefused: a setting cannot be used.
    """
    app = Tidegauge(__name__, static_folder=None)
    app.json.sort_keys = False  # type: ignore[attr-defined]  # of the default JSON provider
    app.extensions["house"] = House(settings or load_settings())

    guard.register(app)  # which requests are served, and the one shape of every error
    app.register_blueprint(pages.blueprint)
    app.register_blueprint(spark.blueprint)
    app.register_blueprint(feeds.blueprint)
    app.register_blueprint(api.blueprint)
    app.register_blueprint(explore.blueprint)
    app.register_blueprint(push.blueprint)
    app.register_blueprint(health.blueprint)
    app.register_blueprint(metrics.blueprint)
    commands.register(app)
    return app
