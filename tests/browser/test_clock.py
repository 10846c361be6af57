"""Times in the viewer's own zone, or in UTC."""

from collections.abc import Callable
from typing import Any

import pytest

Open = Callable[..., Any]
FORMAT = """([zone, ticks]) => {
    Tidegauge.clock.choice = zone;
    const {DatetimeTickFormatter} = Bokeh.require("models/formatters/datetime_tick_formatter");
    return new DatetimeTickFormatter({hours: "%F %H:%M", days: "%F %H:%M", boundary_scaling: false})
        .doFormat(ticks.map((tick) => Date.parse(tick)), {loc: 0});
}"""
TICKS = """([low, high]) => {
    const {DatetimeTicker} = Bokeh.require("models/tickers/datetime_ticker");
    const ticks = new DatetimeTicker().get_ticks_no_defaults(Date.parse(low), Date.parse(high), 0, 6).major;
    return ticks.map((tick) => Tidegauge.clock.format(tick));
}"""
LABELS = "() => Bokeh.documents[0].roots()[0].children.map((plot) => plot.below[0].axis_label)"


def test_the_axis_names_the_viewers_zone_or_utc_and_remembers_the_choice(open_tab: Open) -> None:
    tab = open_tab("dashboard/server/", timezone_id="Europe/Berlin")
    assert set(tab.page.evaluate(LABELS)) == {"Europe/Berlin"}
    tab.page.locator("#zone select").select_option("UTC")
    assert set(tab.page.evaluate(LABELS)) == {"UTC"}
    tab.open("dashboard/server/")
    assert set(tab.page.evaluate(LABELS)) == {"UTC"}
    assert tab.page.locator("#zone select").input_value() == "utc"
    assert tab.complaints == []


def test_there_is_no_zone_to_choose_without_a_time_axis_or_in_utc(open_tab: Open) -> None:
    assert not open_tab("dashboard/", timezone_id="Europe/Berlin").page.locator("#zone").is_visible()
    assert not open_tab("dashboard/server/", timezone_id="UTC").page.locator("#zone").is_visible()


def test_each_tick_has_the_daylight_saving_time_of_its_own_moment(open_tab: Open) -> None:
    tab = open_tab("dashboard/server/", timezone_id="Europe/Berlin")
    ticks = ["2026-10-24T22:00Z", "2026-10-25T00:00Z", "2026-10-25T01:00Z", "2026-10-25T12:00Z"]
    berlin = ["2026-10-25 00:00", "2026-10-25 02:00", "2026-10-25 02:00", "2026-10-25 13:00"]
    assert tab.page.evaluate(FORMAT, ["local", ticks]) == berlin
    utc = ["2026-10-24 22:00", "2026-10-25 00:00", "2026-10-25 01:00", "2026-10-25 12:00"]
    assert tab.page.evaluate(FORMAT, ["utc", ticks]) == utc


@pytest.mark.parametrize(
    ("low", "high", "step"),
    [
        ("2026-10-20T09:00Z", "2026-10-30T09:00Z", " 00:00:00"),  # days, over the end of summer time
        ("2026-03-25T09:00Z", "2026-04-02T09:00Z", " 00:00:00"),
        ("2026-10-25T00:50Z", "2026-10-25T01:10Z", ":00"),  # 2:50 to 2:10
        ("2026-03-29T00:10Z", "2026-03-29T06:10Z", "00:00"),
    ],
)
def test_ticks_are_at_the_whole_days_hours_and_minutes_of_the_zone(
    open_tab: Open, low: str, high: str, step: str
) -> None:
    tab = open_tab("dashboard/server/", timezone_id="Europe/Berlin")
    ticks = tab.page.evaluate(TICKS, [low, high])
    assert len(ticks) >= 3
    assert [tick for tick in ticks if not tick.endswith(step)] == []


def test_hovering_shows_the_time_of_the_zone(open_tab: Open) -> None:
    tab = open_tab("dashboard/server/", timezone_id="Asia/Kolkata")
    script = """() => Bokeh.require("core/util/templating").DEFAULT_FORMATTERS
        .datetime(Date.parse("2026-07-01T12:00Z"), "%F %T")"""
    assert tab.page.evaluate(script) == "2026-07-01 17:30:00"
