"""The dashboard page's buttons and keys."""

from collections.abc import Callable
from typing import Any

import pytest

MEMORY = "process.memory"
Open = Callable[..., Any]

SHOWN = """() => Bokeh.documents[0].roots()[0].children.map((plot) => [plot.x_range.start, plot.x_range.end])"""


def shown(tab: Any) -> tuple[float, float]:
    """The one stretch of time that all plots show, ms since the Unix epoch."""
    ranges = {tuple(one) for one in tab.page.evaluate(SHOWN)}
    assert len(ranges) == 1
    start, end = ranges.pop()
    return start, end


def test_a_paused_page_stands_still_and_resumes_without_a_hole(open_tab: Open) -> None:
    other, tab = open_tab("dashboard/server/"), open_tab("dashboard/server/")
    tab.page.keyboard.press("p")
    assert tab.state() == "paused"
    before, range_before = tab.points(MEMORY), shown(tab)
    tab.page.wait_for_timeout(4500)
    assert (tab.points(MEMORY), shown(tab)) == (before, range_before)
    tab.page.get_by_role("button", name="Resume").click()
    tab.until(lambda: tab.state() == "live" and len(tab.points(MEMORY)) >= len(before) + 2)
    one, two = tab.points(MEMORY), other.points(MEMORY)
    common = min(one[-1][0], two[-1][0])
    assert [row for row in one if row[0] <= common] == [row for row in two if row[0] <= common]
    assert tab.complaints == []


def test_an_answer_that_comes_while_paused_is_drawn_only_when_resumed(open_tab: Open) -> None:
    other, tab = open_tab("dashboard/server/"), open_tab("dashboard/server/")
    held: list[Any] = []
    tab.page.route("**/tail.json", lambda route: held.append(route))
    tab.until(lambda: held)
    tab.page.wait_for_timeout(2500)  # longer than from sample to sample: the answer will have a new one
    tab.page.keyboard.press("p")
    before = tab.points(MEMORY)
    with tab.page.expect_response("**/tail.json"):
        tab.page.unroute("**/tail.json")  # lets the held request go
    tab.page.wait_for_timeout(300)
    assert tab.points(MEMORY) == before
    tab.page.keyboard.press("p")
    tab.until(lambda: len(tab.points(MEMORY)) > len(before))
    one, two = tab.points(MEMORY), other.points(MEMORY)
    common = min(one[-1][0], two[-1][0])
    assert [row for row in one if row[0] <= common] == [row for row in two if row[0] <= common]


def test_a_span_holds_for_all_plots_follows_the_newest_sample_and_is_in_the_address(open_tab: Open) -> None:
    tab = open_tab("dashboard/server/?span=5m")
    start, end = shown(tab)
    assert end - start == pytest.approx(300_000, rel=0.02)
    tab.page.keyboard.press("1")
    start, end = shown(tab)
    assert end - start == pytest.approx(60_000, rel=0.02)
    assert tab.page.url.endswith("/dashboard/server/?span=1m")
    assert tab.page.locator("[data-span][aria-pressed=true]").inner_text() == "1 m"
    tab.until(lambda: shown(tab)[1] > end)
    assert shown(tab)[0] - start == pytest.approx(shown(tab)[1] - end)
    tab.page.get_by_role("button", name="All").press("Enter")
    first, newest = tab.points(MEMORY)[0][0], tab.points(MEMORY)[-1][0]
    assert shown(tab)[0] <= min(first, newest - 9000)
    assert tab.page.url.endswith("/dashboard/server/")
    assert tab.complaints == []


def test_a_plot_that_is_dragged_takes_the_others_along_and_follows_no_more_until_a_span_is_chosen(
    open_tab: Open,
) -> None:
    tab = open_tab("dashboard/server/?span=1m")
    box = tab.page.locator("#figures canvas").first.bounding_box()
    x, y = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
    tab.page.mouse.move(x, y)
    tab.page.mouse.down()
    tab.page.mouse.move(x + 60, y, steps=4)
    tab.page.mouse.up()
    count, dragged = len(tab.points(MEMORY)), shown(tab)
    assert tab.page.locator("[data-span][aria-pressed=true]").count() == 0
    tab.until(lambda: len(tab.points(MEMORY)) > count)
    assert shown(tab) == dragged
    tab.page.keyboard.press("1")
    assert shown(tab)[1] > tab.points(MEMORY)[-1][0]


def test_keys_are_left_to_who_types_and_to_the_browser(open_tab: Open) -> None:
    tab = open_tab("dashboard/server/")
    tab.page.keyboard.press("Control+p")
    tab.page.evaluate("document.body.append(document.createElement('input'))")
    tab.page.locator("body > input").press("p")
    assert tab.state() != "paused"


def test_the_keys_are_listed_and_only_those_that_apply(open_tab: Open) -> None:
    tab = open_tab("dashboard/server/")
    tab.page.keyboard.press("?")
    assert "pause, resume" in tab.page.locator("#keys").inner_text()
    tab.page.keyboard.press("?")
    assert "pause, resume" not in tab.page.locator("#keys").inner_text()
    tab.open("dashboard/")
    tab.page.keyboard.press("?")
    assert "full screen" in tab.page.locator("#keys").inner_text()
    assert "pause" not in tab.page.locator("body").inner_text()


def test_a_wall_shows_plots_alone_and_the_state_only_when_it_is_not_live(open_tab: Open) -> None:
    tab = open_tab("dashboard/server/?kiosk")
    assert not tab.page.get_by_role("heading").is_visible()
    assert not tab.page.locator("#toolbar").is_visible()
    tab.until(lambda: not tab.page.locator("#state").is_visible())
    tab.page.keyboard.press("p")
    assert tab.page.locator("#state").is_visible()


def test_full_screen_comes_and_goes_by_its_key(open_tab: Open) -> None:
    tab = open_tab("dashboard/server/")
    tab.page.keyboard.press("f")
    tab.until(lambda: tab.page.get_by_role("button", name="Leave full screen").is_visible())
    tab.page.keyboard.press("f")
    tab.until(lambda: tab.page.get_by_role("button", name="Full screen", exact=True).is_visible())
