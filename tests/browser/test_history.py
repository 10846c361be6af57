"""Spans beyond the window, from the journal; links to them, and downloads of all that they have."""

import csv
import json
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import served
from served import Served

Open = Callable[..., Any]
HOUR = 3_600_000
PEAK = 12_345.0
EVERY_MS = 2_000
START = int(time.time() * 1000) // EVERY_MS * EVERY_MS - 5 * HOUR
PAGE = "explore/?series=load"
SHOWN = "() => { const {x_range} = Bokeh.documents[0].roots()[0].children[0]; return [x_range.start, x_range.end]; }"


@pytest.fixture(scope="module")
def server() -> Iterator[Served]:
    """A server with five hours of samples, of which the window has the last half hour."""
    one = served.start()
    rows: list[dict[str, object]] = [
        {"name": "load", "value": n % 100, "time": START + n * EVERY_MS} for n in range(5 * HOUR // EVERY_MS)
    ]
    rows[1234]["value"] = PEAK
    one.push(*rows)
    yield one
    served.stop(one)


def iso(ms: float) -> str:
    return datetime.fromtimestamp(ms / 1000, UTC).isoformat().replace("+00:00", "Z")


def test_a_long_span_has_its_peak_and_goes_on_live(open_tab: Open, server: Served) -> None:
    tab = open_tab(PAGE)
    assert len(tab.points("load")) == 1000
    tab.page.keyboard.press("5")  # 6 h
    tab.until(lambda: [START + 1234 * EVERY_MS, PEAK] in tab.points("load"))
    points = tab.points("load")
    assert points[0][0] == START
    assert len(points) < 5 * HOUR / EVERY_MS
    assert "span=6h" in tab.page.url
    server.push({"name": "load", "value": 55.5})
    tab.until(lambda: tab.points("load")[-1][1] == 55.5)
    assert tab.state() == "live"
    tab.page.keyboard.press("0")
    tab.until(lambda: len(tab.points("load")) == 1000)
    assert tab.complaints == []


def test_a_page_opens_with_the_span_of_its_address(open_tab: Open) -> None:
    tab = open_tab(f"{PAGE}&span=6h")
    assert tab.points("load")[0][0] == START
    assert tab.page.get_by_role("button", name="6 h").get_attribute("aria-pressed") == "true"


def test_a_link_to_a_span_of_the_past_shows_that_span_and_says_so(open_tab: Open) -> None:
    start, end = START + HOUR, START + 2 * HOUR
    tab = open_tab(f"{PAGE}&from={iso(start)}&to={iso(end)}")
    points = tab.points("load")
    assert (points[0][0], points[-1][0]) == (start, end - EVERY_MS)
    assert tab.page.evaluate(SHOWN) == [start, end]
    tab.until(lambda: tab.state() == "history")
    tab.page.get_by_role("button", name="All").click()
    tab.until(lambda: tab.state() == "live" and len(tab.points("load")) == 1000)
    assert tab.complaints == []


def test_a_span_is_chosen_by_the_keyboard_in_the_viewers_zone(open_tab: Open) -> None:
    tab = open_tab(PAGE, timezone_id="Asia/Tokyo")
    tab.page.keyboard.press("s")
    first, second = tab.page.get_by_label("From", exact=True), tab.page.get_by_label("To", exact=True)
    tab.until(lambda: first.input_value())
    first.fill(iso(START + 9 * HOUR)[:19])  # Tokyo's clocks are nine hours ahead
    second.fill(iso(START + 9 * HOUR - 1000)[:19])
    second.press("Enter")
    assert tab.page.get_by_role("alert").inner_text() == "The first time must be before the second."
    second.fill(iso(START + 10 * HOUR)[:19])
    second.press("Enter")
    tab.until(lambda: tab.state() == "history")
    tab.until(lambda: tab.points("load")[0][0] == START)
    assert f"from={iso(START)[:16].replace(':', '%3A')}" in tab.page.url
    assert tab.complaints == []


def test_dragging_beyond_the_window_fetches_what_is_there(open_tab: Open) -> None:
    tab = open_tab(PAGE)
    oldest = tab.points("load")[0][0]
    pan = "([start, end]) => { Bokeh.documents[0].roots()[0].children[0].x_range.setv({start, end}); }"
    tab.page.evaluate(pan, [oldest - HOUR, oldest])
    tab.until(lambda: tab.points("load")[0][0] < oldest - HOUR)
    assert tab.page.evaluate(SHOWN) == [oldest - HOUR, oldest]


def test_an_empty_span_says_that_it_is_empty(open_tab: Open) -> None:
    tab = open_tab(f"{PAGE}&from=2020-01-01T00:00:00Z&to=2020-01-02T00:00:00Z")
    note = tab.page.get_by_text("There is no sample in this span.")
    tab.until(note.is_visible)
    assert tab.complaints == []


def test_every_sample_of_a_span_can_be_taken_away(open_tab: Open) -> None:
    tab = open_tab(f"{PAGE}&span=6h")
    tab.page.locator("summary", has_text="load").press("Enter")
    for form in ("CSV", "JSON"):
        with tab.page.expect_download() as coming:
            tab.page.get_by_role("button", name=f"{form}, every sample of load").press("Enter")
        text = Path(coming.value.path()).read_text()
        if form == "CSV":
            rows = list(csv.DictReader(text.splitlines()))
            assert len(rows) >= 5 * HOUR / EVERY_MS
            assert float(rows[1234]["value"]) == PEAK
        else:
            [one] = json.loads(text)["series"]
            assert (one["name"], one["t"][1234], one["v"][1234]) == ("load", START + 1234 * EVERY_MS, PEAK)
