"""Explore in the browser: the address is the state, and every choice is made by the keyboard, too."""

from collections.abc import Callable
from typing import Any

from axe_playwright_python.sync_playwright import Axe
from served import Served

Open = Callable[..., Any]


def test_a_series_that_nobody_draws_is_drawn_live(open_tab: Open, server: Served) -> None:
    server.push({"name": "explored.a", "value": 1})
    tab = open_tab("explore/?series=explored.a")
    assert [v for _, v in tab.points("explored.a")][-1] == 1
    server.push({"name": "explored.a", "value": 2})
    tab.until(lambda: [v for _, v in tab.points("explored.a")][-2:] == [1, 2])
    assert tab.state() == "live"
    assert not any(url.endswith("tail.json") for url in tab.urls)
    assert tab.complaints == []


def test_series_are_added_and_removed_by_the_keyboard(open_tab: Open, server: Served) -> None:
    server.push({"name": "explored.a", "value": 1})
    server.push({"name": "explored.b", "value": 1})
    tab = open_tab("explore/?series=explored.a")
    box = tab.page.get_by_label("Add a series")
    box.fill("explored.b")
    box.press("Enter")
    plots = "() => Bokeh.documents[0]?.roots()[0].children.map((plot) => plot.title.text)"
    tab.until(lambda: tab.page.evaluate(plots) == ["explored.a", "explored.b"])
    tab.page.get_by_label("in one plot").press("Space")
    tab.page.get_by_label("in one plot").press("Enter")
    tab.until(lambda: tab.page.evaluate(plots) == ["2 series"])
    tab.page.get_by_label("explored.a", exact=True).press("Space")
    tab.page.get_by_label("explored.a", exact=True).press("Enter")
    tab.until(lambda: tab.page.evaluate(plots) == ["explored.b"])
    assert tab.complaints == []


def test_without_a_choice_all_series_are_listed(open_tab: Open, server: Served) -> None:
    server.push({"name": "explored.{x=1&y=2}", "value": 1})
    tab = open_tab("explore/?series=explored.a")
    tab.page.goto(f"{server.url}explore/")
    tab.page.get_by_role("link", name="explored.{x=1&y=2}").press("Enter")
    tab.page.locator("#figures canvas").first.wait_for(state="attached")
    assert [v for _, v in tab.points("explored.{x=1&y=2}")][-1] == 1
    assert tab.complaints == []


def test_the_dashboard_file_is_copied_by_its_button(open_tab: Open, server: Served) -> None:
    server.push({"name": "explored.a", "value": 1})
    tab = open_tab("explore/?series=explored.a&glyph=step", permissions=["clipboard-read", "clipboard-write"])
    tab.page.get_by_text("Copy as dashboard file").click()
    tab.page.get_by_role("button", name="Copy: dashboard file").click()
    tab.until(lambda: tab.page.get_by_text("is in the clipboard").count() == 1)
    assert "plot.step('t', 'v', source=live('explored.a')" in tab.page.evaluate("navigator.clipboard.readText()")


def test_the_page_is_accessible_in_both_themes(open_tab: Open, server: Served) -> None:
    server.push({"name": "explored.a", "value": 1})
    for scheme in ("light", "dark"):
        tab = open_tab("explore/?series=explored.a", color_scheme=scheme, bypass_csp=True)
        tab.page.get_by_text("Copy as dashboard file").click()
        tab.page.locator("#from-to summary").click()
        found = Axe().run(tab.page)
        assert found.violations_count == 0, found.generate_report()
        tab.page.goto(f"{server.url}explore/")
        found = Axe().run(tab.page)
        assert found.violations_count == 0, found.generate_report()
