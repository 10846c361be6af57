import os
import signal
from collections.abc import Callable
from typing import Any

import pytest
from playwright.sync_api import Browser
from served import PLOTS, Served

MEMORY = "process.memory"
Open = Callable[..., Any]
Eventually = Callable[..., None]


@pytest.mark.timeout(60 * float(os.environ.get("PAGE_MINUTES", 1)) + 60)
def test_a_page_draws_moves_complains_of_nothing_and_asks_no_other_host(server: Served, open_tab: Open) -> None:
    """For about nine seconds; `PAGE_MINUTES=10 make test` for ten minutes."""
    tab = open_tab("dashboard/server/")
    before = len(tab.points(MEMORY))
    run_s = 60 * float(os.environ.get("PAGE_MINUTES", 0.15))
    tab.page.wait_for_timeout(run_s * 1000)
    assert len(tab.points(MEMORY)) >= before + min(1000 - before, run_s / 3)
    assert tab.state() == "live"
    assert tab.page.locator("#figures canvas").count() >= PLOTS
    assert tab.complaints == []
    assert [url for url in tab.urls if not url.startswith((server.url, "data:", "blob:"))] == []
    polls = [url for url in tab.urls if url.endswith("tail.json")]
    assert run_s / 3 <= len(polls) <= run_s / 2 + 3  # one poller for the sources of seven plots


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [390, 1300])
def test_a_page_fits_its_screen_in_light_and_dark(open_tab: Open, scheme: str, width: int) -> None:
    tab = open_tab("dashboard/server/", viewport={"width": width, "height": 800}, color_scheme=scheme)
    tab.page.wait_for_timeout(500)
    assert tab.page.evaluate("document.documentElement.scrollWidth") <= width
    assert any(f"document.{scheme}.json" in url for url in tab.urls)
    assert tab.complaints == []


def test_the_tutorials_plot_grows_by_its_own_ajax(open_tab: Open) -> None:
    tab = open_tab("dashboard/")
    tab.page.wait_for_timeout(5000)
    script = """() => Bokeh.documents[0].all_models.size && [...Bokeh.documents[0].all_models]
        .filter((model) => model.data_url === "../data/").map((model) => Array.from(model.data.x))[0]"""
    x = tab.page.evaluate(script)
    assert len(x) >= 2
    assert x == sorted(x)
    assert tab.complaints == []


def test_two_viewers_see_the_same_points_and_one_that_slept_has_no_hole(open_tab: Open, eventually: Eventually) -> None:
    awake, asleep = open_tab("dashboard/server/"), open_tab("dashboard/server/")
    slept_at = asleep.points(MEMORY)[-1]
    asleep.context.set_offline(True)
    eventually(lambda: _wait(asleep) and asleep.state() == "offline", within_s=15)
    awake.page.wait_for_timeout(12_000)
    asleep.context.set_offline(False)
    eventually(lambda: _wait(asleep) and asleep.state() == "live", within_s=15)
    eventually(lambda: _wait(asleep) and asleep.points(MEMORY)[-1][0] > slept_at[0] + 12_000, within_s=10)
    for series in (MEMORY, "apache.cpu", "daemon.busy_threads"):
        one, other = awake.points(series), asleep.points(series)
        common = min(one[-1][0], other[-1][0])
        assert [row for row in one if row[0] <= common] == [row for row in other if row[0] <= common]


def test_a_renderer_that_was_frozen_has_no_hole(browser: Browser, open_tab: Open, eventually: Eventually) -> None:
    """A laptop that sleeps stops its processes: timers, sockets and all."""
    session = browser.new_browser_cdp_session()

    def renderers() -> set[int]:
        processes = session.send("SystemInfo.getProcessInfo")["processInfo"]
        return {one["id"] for one in processes if one["type"] == "renderer"}

    awake, others = open_tab("dashboard/server/"), renderers()
    asleep = open_tab("dashboard/server/")
    slept_at = asleep.points(MEMORY)[-1]
    frozen = renderers() - others  # Chromium may have started a spare one, too
    for pid in frozen:
        os.kill(pid, signal.SIGSTOP)
    try:
        awake.page.wait_for_timeout(25_000)  # longer than the tail reaches back
    finally:
        for pid in frozen:
            os.kill(pid, signal.SIGCONT)
    eventually(lambda: _wait(asleep) and asleep.points(MEMORY)[-1][0] > slept_at[0] + 24_000, within_s=10)
    one, other = awake.points(MEMORY), asleep.points(MEMORY)
    common = min(one[-1][0], other[-1][0])
    assert [row for row in one if row[0] <= common] == [row for row in other if row[0] <= common]
    assert asleep.complaints == []


def test_a_page_says_stale_when_python_stops_and_its_lines_go_on_with_a_gap(server: Served, open_tab: Open) -> None:
    tab = open_tab("dashboard/server/")
    pid = server.daemon_pid
    os.kill(pid, signal.SIGSTOP)
    try:
        tab.until(lambda: tab.state() == "stale", within_s=30)
        assert "newest sample" in tab.page.locator("#state span").inner_text()
        assert len(tab.points(MEMORY)) > 0
    finally:
        os.kill(pid, signal.SIGKILL)
    before = tab.points(MEMORY)
    server.wait_ready()
    tab.until(lambda: tab.state() == "live", within_s=20)
    tab.until(lambda: tab.points(MEMORY)[-1][0] > before[-1][0] + 2000, within_s=10)
    after = tab.points(MEMORY)
    assert after[: len(before)] == before
    # The last sample before the end may have been kept and not yet published.
    assert None in [value for _, value in after[len(before) :][:2]]


def _wait(tab: Any) -> bool:
    tab.page.wait_for_timeout(200)  # the browser is driven from this thread alone
    return True
