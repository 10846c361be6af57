import json
import re
from collections.abc import Callable
from pathlib import Path

import pytest
from flask.testing import FlaskClient

from app import create_app
from tidegauge.publish import front as cards
from tidegauge.server.current import KEY
from tidegauge.server.owner import Owner
from tidegauge.settings import Settings


def test_the_front_page_lists_the_dashboards(client: FlaskClient) -> None:
    page = client.get("/").text
    assert '<a href="./dashboard/">Exponential</a>' in page
    assert '<a href="./dashboard/server/">This server</a>' in page


def test_a_card_says_how_fresh_its_dashboard_is_and_which_sampler_is_in_trouble(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, eventually: Callable[..., None]
) -> None:
    monkeypatch.setattr(cards, "EVERY_S", 0)
    (tmp_path / "broken.py").write_text(
        "from bokeh.plotting import figure\nfrom tidegauge import dashboard, live, sampler\n"
        "@sampler('till', every_s=1)\ndef till():\n    raise OSError('no till')\n"
        "@dashboard(title='Till')\ndef page():\n    plot = figure()\n"
        "    plot.line('t', 'v', source=live('till'))\n    return plot\n"
    )
    app = create_app(
        Settings(run=str(tmp_path / "run"), dashboards=str(tmp_path), journal="memory", show_errors="everyone")
    )
    owner: Owner = app.extensions[KEY]
    owner.start()
    eventually(lambda: "sampler till" in app.test_client().get("/").text)
    page = app.test_client().get("/").text
    owner.stop()
    assert "The sampler till is in trouble: OSError: no till." in page
    assert re.findall(r'data-state="(\w+)"><strong>\1</strong></p>', page) == ["live", "live"]
    assert len(re.findall(r'\d series, <span class="age">newest sample \d+ s old', page)) == 2


def test_a_page_refers_to_nothing_but_relative_urls_with_integrity(client: FlaskClient) -> None:
    page = client.get("/dashboard/server/").text
    urls = re.findall(r'(?:src|href)="([^"]*)"', page)
    assert urls
    assert all(url.startswith("../../") for url in urls)
    scripts = re.findall(r"<script [^>]*>", page)
    assert len(scripts) == len(set(scripts)) > 1
    assert all('integrity="sha384-' in script for script in scripts)


def test_every_script_of_a_page_is_there_and_kept_for_ever(client: FlaskClient) -> None:
    for url in re.findall(r'(?:src|href)="\.\./\.\./(static/[^"]*)"', client.get("/dashboard/server/").text):
        answer = client.get(f"/{url}")
        assert (answer.status_code, answer.headers["Cache-Control"]) == (200, "max-age=31536000, immutable")


def test_the_integrity_of_bokehjs_is_the_one_that_its_wheel_names(owner: Owner) -> None:
    import bokeh

    hashes = json.loads((Path(bokeh.__file__).parent / "_sri" / f"{bokeh.__version__}.json").read_text())
    ours = owner.assets["bokeh.min.js"].integrity
    assert ours == "sha384-" + hashes[f"bokeh-{bokeh.__version__}.min.js"]


def test_each_page_view_has_its_own_style_nonce(client: FlaskClient) -> None:
    first, second = (client.get("/dashboard/server/") for _ in range(2))
    nonces = [re.findall(r"'nonce-([^']+)'", page.headers["Content-Security-Policy"])[0] for page in (first, second)]
    assert nonces[0] != nonces[1]
    assert f'nonce="{nonces[0]}"' in first.text
    assert first.headers["Cache-Control"] == "no-store"


def test_documents_differ_by_theme_and_are_not_sent_again(client: FlaskClient) -> None:
    light, dark = (client.get(f"/feeds/server/document.{theme}.json") for theme in ("light", "dark"))
    assert light.data != dark.data
    again = client.get("/feeds/server/document.light.json", headers={"If-None-Match": light.headers["ETag"]})
    assert again.status_code == 304


def test_the_tutorials_endpoint_counts_up_by_one_a_request(client: FlaskClient) -> None:
    assert [client.post("/data/").json for _ in range(3)] == [{"x": [n], "y": [2**n]} for n in (1, 2, 3)]


@pytest.mark.parametrize(
    ("kept", "answered"),
    [
        (1021, {"x": [1022], "y": [2.0**1022]}),
        (1022, {"x": [1023], "y": [2.0**1023]}),
        (1023, {"x": [1024], "y": [2.0**1023]}),
        (100001024, {"x": [100001025], "y": [2.0**1023]}),
    ],
)
def test_the_tutorials_numbers_go_on_after_a_restart_and_stay_finite_for_ever(
    settings: Settings, kept: int, answered: dict[str, list[float]], request: pytest.FixtureRequest
) -> None:
    file = Path(settings.journal).with_name("count")
    file.parent.mkdir()
    file.write_text(str(kept))
    client: FlaskClient = request.getfixturevalue("client")
    assert client.post("/data/").json == answered
    assert int(file.read_text()) == kept + 1


def test_the_tutorials_dashboard_has_one_address(client: FlaskClient) -> None:
    answer = client.get("/dashboard/exponential/")
    assert (answer.status_code, answer.headers["Location"]) == (308, "/dashboard/")


@pytest.mark.parametrize(("path", "leads_to"), [("/dashboard", "/dashboard/"), ("/dashboard/server", "server/")])
def test_no_redirect_repeats_the_host(client: FlaskClient, path: str, leads_to: str) -> None:
    answer = client.get(path, headers={"Host": "attacker"})
    assert (answer.status_code, answer.headers["Location"]) == (308, leads_to)
    assert "attacker" not in answer.text


def test_no_redirect_leads_to_a_dashboard_that_is_not_there(client: FlaskClient) -> None:
    assert client.get("/dashboard/nothing").status_code == 404


def test_the_prefix_without_its_slash_leads_to_the_front_page(client: FlaskClient) -> None:
    answer = client.get("", environ_overrides={"SCRIPT_NAME": "/apps/live", "PATH_INFO": ""})
    assert (answer.status_code, answer.headers["Location"]) == (308, "live/")


def test_a_broken_dashboard_is_a_card_with_its_error_and_a_page_that_says_so(tmp_path: Path) -> None:
    mine = tmp_path / "mine"
    mine.mkdir()
    (mine / "broken.py").write_text("import <b>")
    app = create_app(Settings(run=str(tmp_path / "run"), dashboards=str(mine), journal="memory"))
    owner: Owner = app.extensions[KEY]
    owner.start()
    client = app.test_client()
    assert "line 1: SyntaxError" in client.get("/").text
    answer = client.get("/dashboard/broken/")
    assert answer.status_code == 500
    assert "The dashboard 'broken' cannot be shown: line 1: SyntaxError" in answer.json["detail"]  # type: ignore[index]
    assert client.get("/dashboard/server/").status_code == 200
    assert "dashboard broken: line 1: SyntaxError" in client.get("/health").json["troubles"][0]  # type: ignore[index]
    owner.stop()
