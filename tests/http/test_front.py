import json
import re
from collections.abc import Callable, Iterator
from html import unescape
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest
import served
from flask import Flask
from flask.testing import FlaskClient

from app import create_app
from tidegauge.publish import front as cards
from tidegauge.server.current import KEY
from tidegauge.server.owner import Owner
from tidegauge.settings import Settings

README = (Path(__file__).parents[2] / "README.md").read_text("utf-8")
HOSTILE = ["<img src=x onerror=alert(1)>", '"><script>alert(1)</script>', "{{ 7*7 }}", "a&amp;b", "javascript:alert(1)"]
DASHBOARD = """
from bokeh.plotting import figure
from tidegauge import dashboard, live, sampler

@dashboard(title={title!r}, description={title!r})
def page():
    plot = figure()
    plot.line("t", "v", source=live("drawn"))
    return plot
"""
Eventually = Callable[..., None]


@pytest.fixture(autouse=True)
def often(monkeypatch: pytest.MonkeyPatch) -> None:
    """The front page's file is written in every round."""
    monkeypatch.setattr(cards, "EVERY_S", 0)


@pytest.fixture
def open_app(tmp_path: Path) -> Iterator[Callable[..., Flask]]:
    """Open a owner on dashboard files, given by name."""
    houses: list[Owner] = []

    def opened(files: dict[str, str], **settings: Any) -> Flask:
        mine = tmp_path / "mine"
        mine.mkdir()
        for name, text in files.items():
            (mine / name).write_text(text)
        app = create_app(Settings(run=str(tmp_path / "run"), dashboards=str(mine), journal="memory", **settings))
        houses.append(app.extensions[KEY])
        houses[-1].start()
        return app

    yield opened
    for owner in houses:
        owner.stop()


class Elements(HTMLParser):
    """The tags of a page, and its text."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.text = ""
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        assert not [name for name, _ in attrs if name.startswith("on") or name == "style"], attrs

    def handle_data(self, data: str) -> None:
        self.text += data


def test_the_page_is_whole_without_javascript(client: FlaskClient, owner: Owner, eventually: Eventually) -> None:
    owner.hub.append([("room.temperature", None, 21.5)])
    eventually(lambda: "room.temperature" in client.get("/").text)
    page = client.get("/").text
    assert '<a href="./explore/?series=room.temperature"><bdi>room.temperature</bdi></a>' in page
    assert re.search(r'<span class="value">21\.5</span>\s*<span class="age">\d+ s ago</span>', page)
    assert re.search(r'<svg class="spark" [^>]* role="img" aria-label="[\w.]+: n', page)


def test_the_feed_and_the_page_say_the_same(client: FlaskClient, owner: Owner, eventually: Eventually) -> None:
    eventually(lambda: 'class="line" d="M' in client.get("/").text)
    owner.stop()
    page = client.get("/").text
    front = client.get("/feeds/front.json")
    assert front.data == (owner.run_folder.feeds / "front.json").read_bytes()
    assert len(front.data) % 4096 == 0
    assert front.headers["Cache-Control"] == "max-age=1"
    for card in json.loads(front.data)["cards"]:
        for text in (card["line"], card["area"], card["end"], card["label"], card["value"]):
            assert text in unescape(page)


def test_hostile_names_and_titles_are_text(open_app: Callable[..., Flask], eventually: Eventually) -> None:
    app = open_app({f"d{i}.py": DASHBOARD.format(title=title) for i, title in enumerate(HOSTILE)})
    app.extensions[KEY].hub.append([(name, None, 1.0) for name in HOSTILE])
    client = app.test_client()
    eventually(lambda: "<bdi>{{ 7*7 }}</bdi>" in client.get("/").text)
    for path in ("/", "/?q=" + HOSTILE[1].replace("&", "%26")):
        found = Elements(client.get(path).text)
        assert "img" not in found.tags
        assert found.tags.count("script") == 5
    for text in HOSTILE:
        assert Elements(client.get("/").text).text.count(text) == 3  # a title, a description, a series


def test_a_query_in_the_address_leaves_what_matches(open_app: Callable[..., Flask], eventually: Eventually) -> None:
    app = open_app({"shop.py": DASHBOARD.format(title="Web shop")})
    app.extensions[KEY].hub.append([(f"room.{i:03}", None, 1.0) for i in range(150)])
    client = app.test_client()
    eventually(lambda: "and 50 more" in client.get("/").text)
    page = client.get("/?q=shop+web").text
    hidden = dict(re.findall(r'<article [^>]*data-name="(\w+)"[^>]*?( hidden)?>', page))
    assert hidden == {"exponential": " hidden", "server": " hidden", "shop": ""}
    assert re.findall(r"<bdi>(room.*?)</bdi>", client.get("/?q=ROOM+149").text) == ["room.149"]
    found = client.get("/?q=room+14&format=json").json or {}
    assert [one["name"] for one in found["series"]] == ["room.014", "room.114", *(f"room.{i}" for i in range(140, 150))]
    assert found["more"] == 0


def commands(page: str) -> list[str]:
    return [unescape(re.sub("<.*?>", "", one)) for one in re.findall(r"<code>(.*?)</code>", page, re.DOTALL)]


def test_what_is_new_names_three_things_to_do_and_its_dashboard_is_the_readmes(
    open_app: Callable[..., Flask], eventually: Eventually
) -> None:
    app = open_app({"README.md": "", "_module.py": ""}, port=18080)
    client = app.test_client()
    page = client.get("/").text
    assert page.count("<h3>") - len(app.extensions[KEY].site.dashboards) == 3
    first, *others = commands(page)
    shown = first.removeprefix("cat >my-dashboards/load.py <<'END'\n").removesuffix("\nEND")
    example = README.partition("Write `my-dashboards/load.py`:\n\n")[2].partition("\n\nThen ")[0]
    assert shown == re.sub("^    ", "", example, flags=re.MULTILINE)
    assert "make reload PORT=18080" in others
    assert others[-1].endswith(" http://localhost:18080/; done")
    app.extensions[KEY].hub.append([("mine", None, 1.0)])
    eventually(lambda: not commands(client.get("/").text))


def test_who_has_a_dashboard_is_told_nothing(open_app: Callable[..., Flask]) -> None:
    app = open_app({"shop.py": DASHBOARD.format(title="Web shop")})
    assert not commands(app.test_client().get("/").text)


def test_where_there_is_a_token_none_is_made_and_none_is_shown(open_app: Callable[..., Flask]) -> None:
    page = open_app({}, push_token=served.TOKEN).test_client().get("/").text
    assert "curl --user push" in page
    assert "openssl" not in page
    assert served.TOKEN not in page


def test_under_a_prefix_the_commands_have_it(open_app: Callable[..., Flask]) -> None:
    page = open_app({}).test_client().get("/", environ_overrides={"SCRIPT_NAME": "/live"}).text
    assert "http://localhost:8080/live/api/series" in commands(page)[-2]
    assert not re.findall(r'(?:href|src)="(?!\./|#)[^"]*"', page)
