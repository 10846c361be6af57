"""axe-core, which finds what people with assistive technology stumble over, on the pages as they are in a browser."""

from collections.abc import Callable
from typing import Any

import pytest

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
