from math import nan
from urllib.parse import quote
from xml.etree import ElementTree

import pytest
from flask.testing import FlaskClient

from tidegauge.server.owner import Owner

NAMES = [
    "cpu.usage{host=web1}",
    "disk/sda=1,2",
    "a b%20?q#f;x&y+z",
    "<script>alert(1)</script>\"'&amp;",
    "späť.‮אבג",
    "x.svg",
    "a]]>b{{ 7*7 }}",
]
SVG = "{http://www.w3.org/2000/svg}"


def push(owner: Owner, name: str, *values: float | None) -> None:
    owner.hub.append([(name, 1_000_000 + 1000 * i, value) for i, value in enumerate(values)])


@pytest.mark.parametrize("name", [name for name in NAMES if name.isprintable()])
def test_a_series_of_any_name_is_an_image_that_says_in_words_what_it_shows(
    client: FlaskClient, owner: Owner, name: str
) -> None:
    push(owner, name, 1, 3, 2)
    answer = client.get(f"/spark/{quote(name)}.svg")
    assert (answer.status_code, answer.mimetype) == (200, "image/svg+xml")
    image = ElementTree.fromstring(answer.data)  # noqa: S314
    assert image.findtext(f"{SVG}title") == name
    assert image.findtext(f"{SVG}desc") == f"{name}: newest 2, between 1 and 3 in the last 2 s"
    assert {one.tag.removeprefix(SVG) for one in image} == {"title", "desc", "path"}


def test_the_image_has_the_size_and_the_value_that_are_asked_for(client: FlaskClient, owner: Owner) -> None:
    push(owner, "room", 1, None, 21.5)
    image = ElementTree.fromstring(client.get("/spark/room.svg?width=100&height=20&value=1").data)  # noqa: S314
    assert (image.get("width"), image.get("height"), image.get("viewBox")) == ("100", "20", "0 0 100 20")
    assert image.findtext(f"{SVG}text") == "21.5"
    assert str(image.findall(f"{SVG}path")[1].get("d")).count("M") == 2


@pytest.mark.parametrize("values", [(), (None, None)])
def test_a_series_without_a_value_is_an_image_without_a_line(
    client: FlaskClient, owner: Owner, values: tuple[None]
) -> None:
    owner.hub.windows.declare(["room"])
    push(owner, "room", *values)
    answer = client.get("/spark/room.svg?value=1")
    assert answer.status_code == 200
    assert "room: no value yet" in answer.text
    assert str(nan) not in answer.text


def test_an_image_is_kept_for_seconds_and_not_sent_again(client: FlaskClient, owner: Owner) -> None:
    push(owner, "room", 1, 2)
    first = client.get("/spark/room.svg")
    assert first.headers["Cache-Control"] == "max-age=5"
    again = client.get("/spark/room.svg", headers={"If-None-Match": first.headers["ETag"]})
    assert (again.status_code, again.data) == (304, b"")


def test_an_image_needs_no_style_and_no_script(client: FlaskClient, owner: Owner) -> None:
    push(owner, "room", 1, 2)
    text = client.get("/spark/room.svg?value=1").text
    assert not [word for word in ("<style", "style=", "<script", "href", "url(") if word in text]


@pytest.mark.parametrize(
    "query", ["width=39", "width=2001", "height=11", "height=501", "width=1e2", "width=", "height=-20", "value=yes"]
)
def test_what_cannot_be_drawn_is_refused_with_what_can(client: FlaskClient, owner: Owner, query: str) -> None:
    push(owner, "room", 1)
    answer = client.get(f"/spark/room.svg?{query}")
    assert answer.status_code == 400
    assert query.partition("=")[0] in (answer.json or {})["detail"]
