"""The application of the container, and an example: an ordinary Flask application that uses Tidegauge.

It is what the tutorial *Bokeh plots with Flask and AJAX* had: a page with a static plot and one that grows by AJAX, and
the endpoint that this asks. The dashboard files beside this module are served by Tidegauge, and so are yours.
"""

from pathlib import Path

from flask import Flask, Response, jsonify

from app.counter import Counter
from tidegauge import Tidegauge
from tidegauge.settings import Settings

ROOT = Path(__file__).resolve().parent.parent  # the clone: what it keeps lies here, where no setting says otherwise
TUTORIAL = "exponential"  # the dashboard whose page lies at /dashboard/, as in the tutorial


def create_app(settings: Settings | None = None) -> Flask:
    """Build the application. Starts nothing but in the process that serves.

    Args:
        settings: Tidegauge's; by default they are read from the environment.

    Raises:
        SettingsRefused: a setting cannot be used.
    """
    app = Flask(__name__, static_folder=None)
    app.config["TIDEGAUGE_ROOT"] = str(ROOT)
    tidegauge = Tidegauge(app, url_prefix="/", home=TUTORIAL, settings=settings, has_process=True)
    app.before_request(tidegauge.check_request)  # all of this site is guarded alike,
    app.register_error_handler(Exception, tidegauge.answer_error)  # and its errors look alike
    for name, command in app.cli.commands["tidegauge"].commands.items():  # type: ignore[attr-defined]
        app.cli.add_command(command, name)  # `flask series list`, without a further word
    counter = Counter(tidegauge.settings)

    @app.post("/data/")
    def data() -> Response:
        """Count up by exactly one and return the pair ``{"x": [n], "y": [2**n]}``: the tutorial's endpoint.

        Columns of length one; x is a whole number from 1. y is exact and finite for ever: a whole number up to
        2**53, the last that JavaScript holds exactly among all its neighbours, a float above. From n = 1023 on, which
        polls every 2 s reach after 34 minutes, y stays at 2**1023, the largest power of two that a double
        holds: 2**1024 would be infinite, which JSON cannot carry. x goes on.
        """
        n = counter.next()
        return jsonify(x=[n], y=[2**n if n <= 53 else 2.0 ** min(n, 1023)])

    return app
