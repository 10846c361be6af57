import gzip
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from memory_hub import memory_hub

from tidegauge.dashboards.definition import Dashboard
from tidegauge.dashboards.view import View
from tidegauge.ingest.samplers import Samplers
from tidegauge.publish import front as front_module
from tidegauge.publish.folder import ServedFolder
from tidegauge.publish.front import FrontPage, matches
from tidegauge.store.hub import Hub
from tidegauge.store.journal.memory import MemoryJournal

Make = Callable[..., FrontPage]


@pytest.fixture
def hub() -> Hub:
    return memory_hub(window=1000, max_series=1000)


@pytest.fixture
def make(hub: Hub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Make:
    monkeypatch.setattr(front_module, "EVERY_S", 0)

    def made(*dashboards: Dashboard, troubles: dict[str, str] | None = None, problem: str = "") -> FrontPage:
        folder = ServedFolder(tmp_path / "feeds")
        folder.make_folder()
        monkeypatch.setattr(MemoryJournal, "problem", problem)
        samplers = Samplers(hub, ())
        monkeypatch.setattr(samplers, "troubles", lambda *_, **__: troubles or {})
        return FrontPage(hub, dashboards, samplers, folder, build="b", shows_errors=True)

    return made


ORDERS = Dashboard("orders", "Orders", views=(View("b"), View("a")))


def published(front_page: FrontPage, folder: Path) -> Any:
    front_page.publish()
    plain = json.loads((folder / "feeds/front.json").read_bytes())
    assert json.loads(gzip.decompress((folder / "feeds/front.json.gz").read_bytes())) == plain
    return plain


def test_the_file_has_a_card_for_each_dashboard_that_draws_a_series(hub: Hub, make: Make, tmp_path: Path) -> None:
    hub.append([("a", 9000, 7.0), ("b", 1000, 1.0), ("b", 2000, None), ("b", 3000, 2.0)])
    front = published(make(ORDERS, Dashboard("static", "Static")), tmp_path)
    assert front["cards"] == [
        {
            "name": "orders",
            "series": 2,
            "newest": 9000,
            "first": "b",
            "value": "2",
            "band": "",
            "label": "b: newest 2, between 1 and 2 in the last 2 s",
            "line": "M3 45h0M237 3h0",
            "area": "M3 45h0V48H3ZM237 3h0V48H237Z",
            "end": "M237 3h0",
            "troubles": [],
        }
    ]
    assert (front["build"], front["poll_ms"], front["problem"]) == ("b", 5000, "")


def test_a_card_has_unit_and_band_of_what_is_drawn_first(hub: Hub, make: Make) -> None:
    front_page = make(Dashboard("cpu", "CPU", views=(View("b", unit="%", warn=80, bad=95),)))
    for value, band in ((10, ""), (80, "warn"), (95, "bad")):
        hub.append([("b", None, value)])
        front_page.publish()
        card = front_page.published.cards[0]
        assert (card.value, card.band) == (f"{value}\u202f%", band)


def test_a_unit_that_an_agent_names_is_shown(hub: Hub, make: Make) -> None:
    hub.append([("b", 1000, 1.5), ("x", 1000, 2.5)])
    hub.note_units({"b": "s", "x": "ms"})
    front_page = make(ORDERS)
    front_page.publish()
    assert (
        front_page.published.cards[0].label == "b: newest 1.5\u202fs, between 1.5\u202fs and 1.5\u202fs in the last 0 s"
    )
    assert front_page.published.undrawn.series[0].value == "2.5\u202fms"


def test_of_a_pattern_the_first_series_is_shown_and_none_of_them_is_undrawn(hub: Hub, make: Make) -> None:
    front_page = make(Dashboard("hosts", "Hosts", views=(View("cpu{host=*}"),)))
    front_page.publish()
    assert (front_page.published.cards[0].first, front_page.published.cards[0].series) == ("cpu{host=*}", 0)
    hub.append([("cpu{host=web2}", 1000, 2.0), ("cpu{host=web1}", 1000, 1.0), ("memory", 1000, 1.0)])
    front_page.publish()
    card = front_page.published.cards[0]
    assert (card.first, card.value, card.series) == ("cpu{host=web1}", "1", 2)
    assert [one.name for one in front_page.published.undrawn.series] == ["memory"]


def test_a_count_that_is_drawn_as_a_rate_is_one_on_its_card(hub: Hub, make: Make) -> None:
    hub.append([("b", 1000, 100.0), ("b", 3000, 104.0), ("b", 4000, 110.0)])
    front_page = make(Dashboard("net", "Net", views=(View("b", rate_s=1),)))
    front_page.publish()
    assert front_page.published.cards[0].label == "b: newest 6, between 2 and 6 in the last 1 s"


def test_what_is_wrong_is_told_in_sentences(make: Make, tmp_path: Path) -> None:
    front = published(make(ORDERS, troubles={"till": "OSError: no till"}, problem="disk full"), tmp_path)
    assert front["cards"][0]["troubles"] == ["The sampler till is in trouble: OSError: no till."]
    assert front["problem"] == "disk full"


def test_series_that_no_dashboard_draws_are_listed_with_their_newest_value(
    hub: Hub, make: Make, tmp_path: Path
) -> None:
    hub.append([("a", 1000, 1.0), ("y", 1000, 1.0), ("y", 2000, 2.5), ("x", 3000, None)])
    hub.windows.declare(["z"])
    assert published(make(ORDERS), tmp_path)["undrawn"] == {
        "series": [
            {"name": "x", "value": "no value", "newest": 3000},
            {"name": "y", "value": "2.5", "newest": 2000},
            {"name": "z", "value": "no sample yet", "newest": None},
        ],
        "more": 0,
    }


def test_not_more_than_a_hundred_are_listed_and_the_others_counted_and_found(hub: Hub, make: Make) -> None:
    hub.windows.declare(f"room.{i:03}" for i in range(250))
    front_page = make()
    assert (len(front_page.undrawn().series), front_page.undrawn().more) == (100, 150)
    found = front_page.undrawn("ROOM 24")
    assert [one.name for one in found.series] == [f"room.{i:03}" for i in (24, 124, 224, *range(240, 250))]
    assert found.more == 0


def test_a_line_follows_its_series_also_when_it_was_deleted_and_begins_anew(
    hub: Hub, make: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    front_page = make(ORDERS)

    def value() -> str:
        front_page.publish()
        return front_page.published.cards[0].value

    assert value() == "no value"
    hub.append([("b", 1000, 1.0)])
    assert value() == "1"
    hub.append([("b", 2000, 2.0)])
    assert value() == "2"
    with monkeypatch.context() as patched:  # a window that nothing has entered is not drawn anew
        patched.setattr(front_module, "sparkline", None)
        assert value() == "2"
    hub.delete(["b"])
    assert value() == "no value"
    hub.append([("b", 3000, 3.0)])
    assert value() == "3"


def test_the_file_is_not_written_more_often_than_it_is_polled(
    hub: Hub, make: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    front_page = make(ORDERS)
    first = published(front_page, tmp_path)
    monkeypatch.setattr(front_module, "EVERY_S", 5)
    hub.append([("b", 1000, 1.0)])
    assert published(front_page, tmp_path) == first


@pytest.mark.parametrize(
    ("query", "found"), [("", True), ("  ", True), ("web", True), ("SHOP web", True), ("weeb", False), ("web x", False)]
)
def test_every_word_of_a_query_must_be_there(query: str, found: bool) -> None:
    assert matches(query, "Web shop") is found
