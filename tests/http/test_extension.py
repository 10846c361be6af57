"""The extension in somebody else's Flask application, which stays as it is."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from flask import Flask, Response, abort, render_template_string, request, session, url_for
from flask.testing import FlaskClient
from jinja2 import DictLoader
from werkzeug.exceptions import HTTPException

from tidegauge import Tidegauge
from tidegauge.errors import SettingsRefused
from tidegauge.settings import Settings

DASHBOARD = """
from bokeh.plotting import figure
from tidegauge import dashboard, live
@dashboard(title="Orders")
def page():
    plot = figure()
    plot.line("t", "v", source=live("orders"))
    return plot
"""


def shop(folder: Path) -> Flask:
    """An application with everything of its own: routes, hooks, error pages, templates, sessions and commands."""
    app = Flask("shop", root_path=str(folder), instance_path=str(folder / "instance"))
    app.secret_key = "of the shop"  # noqa: S105
    app.jinja_loader = DictLoader({"layout.html": "the shop's layout", "error.html": "the shop's error"})
    app.config["JSON_SORT_KEYS"] = True

    @app.before_request
    def sign_in() -> Response | None:
        return Response("sign in", 401) if "signed-out" in request.args else None

    @app.after_request
    def brand(response: Response) -> Response:
        response.headers["X-Shop"] = "shop"
        return response

    @app.errorhandler(HTTPException)
    def fail(error: HTTPException) -> tuple[str, int]:
        return f"the shop's {error.code}", error.code or 500

    @app.get("/orders")
    def orders() -> str:
        session["seen"] = True
        return render_template_string("{% include 'layout.html' %}")

    @app.post("/live/orders")
    def order() -> tuple[str, int]:
        abort(409)

    return app


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """The shop's folder, with a dashboard file of its own."""
    (tmp_path / "dashboards").mkdir()
    (tmp_path / "dashboards/orders.py").write_text(DASHBOARD)
    return tmp_path


@pytest.fixture
def client(folder: Path) -> Iterator[FlaskClient]:
    app = shop(folder)
    tidegauge = Tidegauge(app, url_prefix="/live")
    tidegauge.start()
    yield app.test_client()
    tidegauge.stop()


def test_what_is_below_the_prefix_is_tidegauges_and_the_applications_hooks_hold_there_too(client: FlaskClient) -> None:
    front = client.get("/live/")
    assert (front.status_code, front.headers["X-Shop"]) == (200, "shop")
    assert '<a href="./dashboard/orders/">Orders</a>' in front.text
    assert "Set-Cookie" not in front.headers
    for path in ("dashboard/orders/", "feeds/orders/tail.json", "explore/", "api/series", "health/ready"):
        assert client.get(f"/live/{path}").status_code == 200, path
    assert client.get("/live/?signed-out").status_code == 401


@pytest.mark.parametrize(("path", "location"), [("/live", "live/"), ("/live/explore", "/live/explore/")])
def test_a_redirect_repeats_no_host(client: FlaskClient, path: str, location: str) -> None:
    answer = client.get(path, headers={"Host": "somewhere"})
    assert (answer.status_code, answer.headers["Location"]) == (308, location)


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/nothing", 404),
        ("GET", "/live/nothing", 404),
        ("PUT", "/live/api/series", 405),
        ("POST", "/live/", 405),
        ("POST", "/orders", 405),
        ("POST", "/live/orders", 409),
    ],
)
def test_errors_of_other_addresses_stay_the_applications(
    client: FlaskClient, method: str, path: str, status: int
) -> None:
    answer = client.open(path, method=method)
    assert (answer.status_code, answer.text) == (status, f"the shop's {status}")


def test_errors_of_our_own_addresses_are_ours(client: FlaskClient) -> None:
    answer = client.get("/live/dashboard/nothing/")
    assert (answer.status_code, answer.mimetype) == (404, "application/problem+json")
    assert answer.get_json()["instance"] == "/live/dashboard/nothing/"
    page = client.get("/live/dashboard/nothing/", headers={"Accept": "text/html"}).text
    assert "There is no dashboard" in page
    assert "shop" not in page


def test_the_application_answers_under_its_own_host_and_with_its_own_session_and_templates(client: FlaskClient) -> None:
    answer = client.get("/orders", headers={"Host": "shop.example.org"})
    assert (answer.status_code, answer.text) == (200, "the shop's layout")
    assert "session=" in answer.headers["Set-Cookie"]
    assert client.get("/live/", headers={"Host": "shop.example.org"}).status_code == 421


def test_the_application_answers_before_tidegauge_serves(folder: Path) -> None:
    app = shop(folder)
    Tidegauge(app, url_prefix="/live")
    client = app.test_client()
    assert client.get("/orders").status_code == 200
    assert client.get("/orders", environ_overrides={"wsgi.multiprocess": True}).status_code == 200
    assert "has not been started" in client.get("/live/").text


def test_at_the_root_404_and_405_stay_the_applications(folder: Path) -> None:
    app = shop(folder)
    tidegauge = Tidegauge(app, url_prefix="/")
    tidegauge.start()
    try:
        client = app.test_client()
        assert "Orders" in client.get("/").text
        assert client.get("/dashboard/orders/").status_code == 200
        assert [client.get("/nothing").text, client.put("/api/series").text] == ["the shop's 404", "the shop's 405"]
        assert client.get("/orders").text == "the shop's layout"
    finally:
        tidegauge.stop()


def test_exactly_our_rules_are_registered(folder: Path) -> None:
    app = shop(folder)
    before = {rule.rule for rule in app.url_map.iter_rules()}
    Tidegauge(app, url_prefix="/live")
    new = {rule.rule for rule in app.url_map.iter_rules()} - before
    assert all(rule == "/live" or rule.startswith("/live/") for rule in new)
    assert not [rule for rule in new if rule.startswith("/live/<")]


def test_the_application_links_to_our_pages_by_their_endpoints(folder: Path) -> None:
    app = shop(folder)
    Tidegauge(app, url_prefix="/live")
    with app.test_request_context():
        assert url_for("tidegauge.pages.front") == "/live/"
        assert url_for("tidegauge.pages.dashboard", name="orders") == "/live/dashboard/orders/"


def test_an_application_factory_adds_it_later(folder: Path) -> None:
    tidegauge = Tidegauge(url_prefix="/live")
    app = shop(folder)
    tidegauge.init_app(app)
    assert app.extensions["tidegauge"] is tidegauge
    assert "tidegauge" in app.cli.commands


def test_settings_come_from_the_applications_configuration_and_its_files_lie_in_its_instance_folder(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    app = shop(folder)
    app.config["TIDEGAUGE_WINDOW"] = 50
    app.config["TIDEGAUGE_POLL_MS"] = 500
    monkeypatch.setenv("TIDEGAUGE_POLL_MS", "600")
    settings = Tidegauge(app).settings
    assert (settings.window, settings.poll_ms) == (50, 600)
    assert Path(settings.journal).is_relative_to(app.instance_path)
    assert Path(settings.run).is_relative_to(app.instance_path)
    app.config["TIDEGAUGE_WINDWO"] = 50
    with pytest.raises(SettingsRefused, match="TIDEGAUGE_WINDWO"):
        Tidegauge(app)


@pytest.mark.parametrize("prefix", ["live", "/live/", ""])
def test_a_prefix_that_is_no_path_is_refused(prefix: str) -> None:
    with pytest.raises(ValueError, match="url_prefix='"):
        Tidegauge(url_prefix=prefix)


def test_an_import_loads_neither_flask_nor_bokeh_by_itself() -> None:
    import subprocess
    import sys

    code = "import sys, tidegauge; print(*sys.modules)"
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()
    assert not {"flask", "bokeh", "numpy"} & set(loaded)


def test_no_setting_of_the_interpreter_is_changed_in_somebody_elses_process(folder: Path) -> None:
    import gc
    import sys

    before, frozen = (gc.get_threshold(), sys.getswitchinterval()), gc.get_freeze_count()
    settings = Settings(run=str(folder / "run"), journal="memory")
    tidegauge = Tidegauge(shop(folder), settings=settings)
    tidegauge.start()
    assert tidegauge.owner.site
    tidegauge.stop()
    assert (gc.get_threshold(), sys.getswitchinterval()) == before
    assert gc.get_freeze_count() <= frozen  # by an earlier test of the same process; what is frozen may end meanwhile
