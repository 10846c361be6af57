"""The reader that runs in browsers, against any interleaving: the same play as the model's in tests/unit."""

from typing import Any

import pytest
from feed_protocol import BEHIND, Columns, Step, play, steps
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from playwright.sync_api import Browser, Page
from served import Served

MAKE = """size => {
    window.readers ??= [];
    const {ColumnDataSource} = Bokeh.require("models/sources/column_data_source");
    const sources = Object.fromEntries(["a", "b"].map((name) => [name, new ColumnDataSource({data: {t: [], v: []}})]));
    for (const source of Object.values(sources)) source.max_size = size;
    return window.readers.push({reader: new Tidegauge.Reader(), sources}) - 1;
}"""
TAKE = """([n, tail]) => {
    const {reader, sources} = window.readers[n];
    const fresh = reader.take(tail);
    if (typeof fresh === "string") return fresh;
    for (const [name, source] of Object.entries(sources)) Tidegauge.append(source, fresh.get(name));
    return "fresh";
}"""
REPLACE = """([n, window_]) => {
    const {reader, sources} = window.readers[n];
    if (reader.isOld(window_)) return "old";
    for (const [name, columns] of reader.replace(window_)) Tidegauge.draw(sources[name], columns);
    return "fresh";
}"""
COLUMNS = """n => Object.fromEntries(Object.entries(window.readers[n].sources).map(
    ([name, {data}]) => [name, [[...data.t], [...data.v]]]))"""


class BrowserReader:
    """live.js's Reader with real data sources of BokehJS."""

    def __init__(self, page: Page, size: int) -> None:
        self.page = page
        self.number = page.evaluate(MAKE, size)

    def take(self, tail: dict[str, Any]) -> str:
        return str(self.page.evaluate(TAKE, [self.number, tail]))

    def replace(self, window: dict[str, Any]) -> str:
        return str(self.page.evaluate(REPLACE, [self.number, window]))

    def columns(self) -> Columns:
        return dict(self.page.evaluate(COLUMNS, self.number))

    def position(self) -> tuple[str | None, int]:
        script = "n => [window.readers[n].reader.epoch, window.readers[n].reader.cursor]"
        epoch, cursor = self.page.evaluate(script, self.number)
        return epoch, cursor


@pytest.fixture(scope="module")
def page(browser: Browser, server: Served) -> Page:
    page = browser.new_page()
    page.goto(f"{server.url}dashboard/server/")
    page.locator("#figures canvas").first.wait_for(state="attached")
    return page


pytestmark = pytest.mark.timeout(400)  # on a busy machine 40 plays have taken more than 120 s
few = settings(deadline=None, max_examples=40, suppress_health_check=list(HealthCheck))
between = st.lists(st.integers(-1, 1), max_size=30)


@few
@example(steps=BEHIND, between=[], window=1000)
@given(steps=steps(late=False), between=between, window=st.sampled_from([10, 50, 1000]))
def test_the_pages_reader_has_exactly_what_the_window_has(
    page: Page, steps: list[Step], between: list[int], window: int
) -> None:
    play(window, lambda size: BrowserReader(page, size), steps, between)


@few
@given(steps=steps(late=True), between=between)
def test_the_pages_reader_draws_late_samples_in_the_order_of_their_times(
    page: Page, steps: list[Step], between: list[int]
) -> None:
    play(100_000, lambda size: BrowserReader(page, size), steps, between)
