"""Light and dark, by the system's choice or the viewer's."""

from collections.abc import Callable
from typing import Any

import pytest
from served import PLOTS

MEMORY = "process.memory"
Open = Callable[..., Any]
Eventually = Callable[..., None]
FILL = "() => Bokeh.documents[0].roots()[0].children[0].background_fill_color"
PAPER = {"light": "#ffffff", "dark": "#171c22"}
FIRST = """new MutationObserver(() => {
        if (document.body) window.first ??= document.documentElement.dataset.theme ?? "none";
    }).observe(document, {childList: true, subtree: true})"""


def fill(tab: Any) -> str:
    tab.page.wait_for_timeout(100)
    return str(tab.page.evaluate(FILL))


def test_a_theme_is_switched_in_place_with_its_points_and_remembered(open_tab: Open, eventually: Eventually) -> None:
    tab = open_tab("dashboard/server/?span=5m", color_scheme="light")
    before = tab.points(MEMORY)
    tab.page.evaluate("window.same = true")
    tab.page.locator("#theme select").select_option("Dark")
    eventually(lambda: fill(tab) == PAPER["dark"])
    assert tab.page.evaluate("window.same && Bokeh.documents.length === 1")
    assert tab.points(MEMORY)[: len(before)] == before
    eventually(lambda: fill(tab) and len(tab.points(MEMORY)) > len(before))  # it lives on
    assert tab.page.locator("#figures .bk-Figure").count() == PLOTS
    start, end = tab.page.evaluate(
        "() => { const {start, end} = Bokeh.documents[0].roots()[0].children[6].x_range; return [start, end]; }"
    )
    assert end - start == pytest.approx(300_000, rel=0.02)
    tab.page.add_init_script(FIRST)
    tab.open("dashboard/server/")
    assert tab.page.evaluate("window.first") == "dark"  # before anything of the body is painted
    assert fill(tab) == PAPER["dark"]
    tab.page.goto(tab.server.url)
    assert tab.page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(14, 18, 22)"
    assert tab.complaints == []


def test_the_systems_theme_is_followed_until_another_is_chosen(open_tab: Open, eventually: Eventually) -> None:
    tab = open_tab("dashboard/server/", color_scheme="light")
    tab.page.emulate_media(color_scheme="dark")
    eventually(lambda: fill(tab) == PAPER["dark"])
    tab.page.locator("#theme select").select_option("Light")
    eventually(lambda: fill(tab) == PAPER["light"])
    tab.page.emulate_media(color_scheme="light")
    tab.page.emulate_media(color_scheme="dark")
    assert fill(tab) == PAPER["light"]


def test_the_tutorials_points_stay_when_the_theme_changes(open_tab: Open, eventually: Eventually) -> None:
    tab = open_tab("dashboard/", color_scheme="light")
    script = """() => [...Bokeh.documents[0].all_models].filter((model) => model.data_url === "../data/")
        .map((model) => Array.from(model.data.x))[0]"""
    eventually(lambda: fill(tab) and len(tab.page.evaluate(script)) >= 2)
    before = tab.page.evaluate(script)
    tab.page.locator("#theme select").select_option("Dark")
    eventually(lambda: fill(tab) == PAPER["dark"])
    assert tab.page.evaluate(script)[: len(before)] == before
    polls = len([url for url in tab.urls if url.endswith("/data/")])
    tab.page.wait_for_timeout(4500)
    assert len([url for url in tab.urls if url.endswith("/data/")]) <= polls + 3  # one plot asks, not two
    assert tab.complaints == []
