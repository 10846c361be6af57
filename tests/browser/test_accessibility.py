"""axe-core, which finds what people with assistive technology stumble over, on the pages as they are in a browser."""

from collections.abc import Callable
from typing import Any

import pytest
from playwright.sync_api import Browser
from served import Served

Open = Callable[..., Any]


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("path", ["dashboard/server/", "dashboard/"])
def test_axe_finds_nothing_on_a_dashboard(open_tab: Open, path: str, theme: str) -> None:
    tab = open_tab(path, color_scheme=theme, timezone_id="Europe/Berlin")
    tab.page.keyboard.press("?")
    tab.page.locator("#numbers summary").first.click()
    tab.page.get_by_role("img").first.wait_for()
    assert tab.violations() == []


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_axe_finds_nothing_on_the_front_page(open_tab: Open, theme: str) -> None:
    tab = open_tab("dashboard/", color_scheme=theme)
    tab.page.goto(tab.server.url)
    assert tab.violations() == []


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_axe_finds_nothing_on_the_table_of_a_dashboard(open_tab: Open, theme: str) -> None:
    tab = open_tab("dashboard/", color_scheme=theme)
    tab.page.goto(f"{tab.server.url}dashboard/server/table/")
    tab.page.locator("section table").first.wait_for()
    assert tab.violations() == []


def test_without_javascript_a_page_leads_to_its_numbers_by_keyboard(browser: Browser, server: Served) -> None:
    page = browser.new_page(java_script_enabled=False, viewport={"width": 390, "height": 844})
    page.goto(f"{server.url}dashboard/server/")
    page.keyboard.press("Tab")  # past the link to the front page
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    page.wait_for_url("**/table/")
    assert page.get_by_role("row").count() > 20
    page.close()
