"""What live() draws: patterns, rates, newest values, units and bands."""

import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import served
from served import Served

Open = Callable[..., Any]

# The lines that are drawn, by the names that the legend gives them.
LINES = """() => {
    const [plot] = Bokeh.documents[0].roots()[0].children;
    const [legend] = plot.center.filter((one) => one.items);
    const drawn = legend.items.map((item) => [item.label.value, [...item.renderers[0].data_source.data.v]]);
    return Object.fromEntries(drawn);
}"""
RATES = """() => {
    const [{data_source}] = Bokeh.documents[0].roots()[0].children[1].renderers;
    return [[...data_source.data.t], [...data_source.data.v]];
}"""
BARS = """() => {
    const plot = Bokeh.documents[0].roots()[0].children[2];
    return [[...plot.x_range.factors], [...plot.renderers[0].data_source.data.v]];
}"""


@pytest.fixture(scope="module")
def server() -> Iterator[Served]:
    one = served.start(TIDEGAUGE_DASHBOARDS=str(Path(__file__).parent / "dashboards"))
    yield one
    served.stop(one)


def push(server: Served, *samples: tuple[str, float, int]) -> None:
    server.push(*({"name": name, "value": value, "time": at} for name, value, at in samples))


def now() -> int:
    return int(time.time() * 1000)


def test_a_pattern_is_a_line_a_series_and_new_ones_appear_by_themselves(open_tab: Open, server: Served) -> None:
    push(server, ("usage{host=a}", 10, now()), ("usage{host=b}", 20, now()))
    tab = open_tab("dashboard/zoo/")
    tab.until(lambda: set(tab.page.evaluate(LINES)) >= {"a", "b"})
    push(server, ("usage{host=new}", 30, now()), ("usage{host=a}", 11, now()))
    tab.until(lambda: tab.page.evaluate(LINES).get("new") == [30])
    assert tab.page.evaluate(LINES)["a"][-2:] == [10, 11]
    colours = (
        "() => Bokeh.documents[0].roots()[0].children[0].renderers.slice(1).map((one) => one.glyph.line_color.value)"
    )
    assert len(set(tab.page.evaluate(colours))) >= 3
    tab.page.get_by_label("Theme").select_option("dark")
    tab.until(lambda: tab.page.evaluate("Bokeh.documents.length") == 1)
    tab.until(lambda: tab.page.evaluate(LINES).get("new") == [30])
    assert tab.complaints == []


def test_newest_values_are_a_row_a_series_in_bars_and_tables(open_tab: Open, server: Served) -> None:
    push(server, ("usage{host=a}", 1, now()), ("usage{host=b}", 2, now()))
    tab = open_tab("dashboard/zoo/")
    push(server, ("usage{host=b}", 33, now()), ("usage{host=z}", 44, now()))
    tab.until(lambda: "z" in tab.page.evaluate(BARS)[0])
    factors, values = tab.page.evaluate(BARS)
    assert factors == sorted(factors)
    assert dict(zip(factors, values, strict=True))["b"] == 33
    tab.until(lambda: tab.page.locator(".slick-row", has_text="44").count() == 1)
    assert tab.complaints == []


def test_a_rate_is_drawn_of_what_the_window_has_and_of_what_comes(open_tab: Open, server: Served) -> None:
    at = now() - 10_000
    push(server, ("traffic", 100, at), ("traffic", 300, at + 2000), ("traffic", 50, at + 3000))
    tab = open_tab("dashboard/zoo/")
    tab.until(lambda: tab.page.evaluate(RATES) == [[at + 2000, at + 3000], [100, 50]])
    push(server, ("traffic", 70, at + 7000))
    tab.until(lambda: tab.page.evaluate(RATES)[1][-1] == 5)
    push(server, ("traffic", 60, at + 5000))  # late: between two that are there
    tab.until(lambda: tab.page.evaluate(RATES)[1] == [100, 50, 5, 5])
    assert tab.complaints == []


def test_units_and_descriptions_are_where_the_values_are(open_tab: Open, server: Served) -> None:
    push(server, ("usage{host=a}", 12, now()))
    tab = open_tab("dashboard/zoo/")
    label = "() => Bokeh.documents[0].roots()[0].children.slice(0, 2).map((plot) => plot.left[0].axis_label)"
    assert tab.page.evaluate(label) == ["%", "B/s"]
    summary = tab.page.locator("summary", has_text="Usage")
    tab.until(lambda: "%" in summary.inner_text())
    summary.press("Enter")
    assert tab.page.get_by_text("How busy it is.").is_visible()


def test_a_pattern_that_nothing_matches_yet_has_its_unit_and_names_its_lines_later(
    open_tab: Open, server: Served
) -> None:
    tab = open_tab("dashboard/zoo/?span=1m")
    label = "() => Bokeh.documents[0].roots()[0].children[4].left[0].axis_label"
    assert tab.page.evaluate(label) == "°C"
    values = "() => { const {start, end} = Bokeh.documents[0].roots()[0].children[4].y_range; return [start, end]; }"
    tab.until(lambda: tab.page.evaluate(values) == pytest.approx([-0.05, 1.05]))  # else no axis is drawn
    canvas = tab.page.locator("#figures canvas").last
    canvas.scroll_into_view_if_needed()
    box = canvas.bounding_box()

    def shown(text: str) -> bool:
        tab.page.mouse.move(box["x"] + box["width"] * 0.9, box["y"] + box["height"] / 2 + time.monotonic() % 5)
        return bool(tab.page.locator(".bk-Tooltip").get_by_text(text, exact=True).count())

    def draw(host: str, value: float) -> None:
        push(server, *((f"later{{host={host}}}", value, now() - n * 1000) for n in range(30, 0, -1)))

    draw("first", 18.5)
    tab.until(lambda: shown("18.5 °C"))
    assert not shown("first")
    assert 17 < tab.page.evaluate(values)[0] < 18.5
    draw("second", 19.5)
    tab.until(lambda: shown("19.5 °C") and shown("first") and shown("second"))
    assert tab.complaints == []


def test_a_value_in_a_band_is_named_at_the_top_until_it_leaves_it(open_tab: Open, server: Served) -> None:
    tab = open_tab("dashboard/zoo/")
    line = tab.page.locator("#bands")
    push(server, ("usage{host=hot}", 81, now()))
    tab.until(lambda: line.inner_text() == "warn: Usage")
    push(server, ("usage{host=hot}", 99, now()))
    tab.until(lambda: line.inner_text() == "bad: Usage")
    push(server, ("usage{host=hot}", 5, now()))
    tab.until(lambda: line.inner_text() == "")


def test_the_pointer_shows_the_values_of_its_moment(open_tab: Open, server: Served) -> None:
    for n in range(5):
        push(server, ("usage{host=a}", 42.5, now() - 5000 + n * 1000))
    tab = open_tab("dashboard/zoo/?span=1m")
    box = tab.page.locator("#figures canvas").first.bounding_box()
    tab.page.mouse.move(box["x"] + box["width"] * 0.9, box["y"] + box["height"] / 2)
    tab.until(lambda: tab.page.get_by_text("42.5 %").count() > 0)
    assert tab.complaints == []
