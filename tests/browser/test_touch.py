"""A page on a phone."""

from collections.abc import Callable
from typing import Any

import pytest

PHONE = {"viewport": {"width": 390, "height": 844}, "has_touch": True, "is_mobile": True}


@pytest.mark.parametrize("path", ["dashboard/server/", "dashboard/"])
def test_a_finger_on_a_plot_scrolls_the_page(
    open_tab: Callable[..., Any], eventually: Callable[..., None], path: str
) -> None:
    tab = open_tab(path, **PHONE | {"viewport": {"width": 390, "height": 500}})
    y = tab.page.locator("#figures canvas").first.bounding_box()["y"] + 80
    session = tab.context.new_cdp_session(tab.page)

    def touch(kind: str, *ys: float) -> None:
        points = [{"x": 195, "y": y} for y in ys]
        session.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": points})

    touch("touchStart", y)
    for step in range(1, 11):
        touch("touchMove", y - 15 * step)
    touch("touchEnd")
    eventually(lambda: tab.page.wait_for_timeout(50) is None and tab.page.evaluate("scrollY") > 100)


@pytest.mark.parametrize("path", ["dashboard/server/", "dashboard/"])
def test_nothing_overflows_a_phone(open_tab: Callable[..., Any], path: str) -> None:
    tab = open_tab(path, **PHONE)
    tab.page.keyboard.press("?")
    tab.page.wait_for_timeout(500)
    keys = tab.page.locator("#keys dl").bounding_box()
    assert keys["x"] >= 0
    assert keys["x"] + keys["width"] <= 390
    assert tab.page.evaluate("document.documentElement.scrollWidth") <= 390
