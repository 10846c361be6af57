"""What a page weighs over the wire, and what it costs the browser."""

import gzip
import json
import os
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from random import random
from typing import Any

import pytest
import served
from playwright.sync_api import Browser
from served import TOKEN, Served

Open = Callable[..., Any]
FIRST_VIEW = 450_000  # bytes, with Bokeh 3.10; without the numbers
SECOND_VIEW = 30_000
NUMBERS = 100_000  # of 12 series of 1,000 samples
BUSY = 0.10  # of the main thread
SERIES = 12


@pytest.fixture(scope="module")
def server() -> Iterator[Served]:
    one = served.start(TIDEGAUGE_DASHBOARDS=str(Path(__file__).parent / "dashboards"), TIDEGAUGE_POLL_MS="1000")
    start = 1_795_000_000_000
    for n in range(SERIES):
        body = "\n".join(f"twelve,n={n} v={random():.4f} {start + at * 1000}" for at in range(1000)).encode()
        assert one.ask("/api/v2/write?precision=ms", "POST", body, Authorization=f"Bearer {TOKEN}").status == 204
    yield one
    served.stop(one)


def bytes_of(browser: Browser, server: Served, path: str) -> tuple[dict[str, float], dict[str, float]]:
    """Return what was received for each URL in a first and in a second view."""
    context = browser.new_context()
    views = []
    for _ in range(2):
        page = context.new_page()
        received: dict[str, float] = {}
        urls: dict[str, str] = {}
        tap = context.new_cdp_session(page)
        tap.send("Network.enable")
        tap.on(
            "Network.requestWillBeSent",
            lambda event, urls=urls: urls.update({event["requestId"]: event["request"]["url"]}),
        )
        tap.on(
            "Network.loadingFinished",
            lambda event, urls=urls, received=received: received.update(
                {urls[event["requestId"]]: event["encodedDataLength"]}
            ),
        )
        page.goto(server.url + path)
        page.locator("#figures canvas").first.wait_for(state="attached")
        page.wait_for_timeout(500)
        views.append({url: size for url, size in received.items() if "/feeds/" not in url})
        page.close()
    context.close()
    return views[0], views[1]


def test_a_first_view_and_a_second_one_weigh_little(browser: Browser, server: Served) -> None:
    first, second = bytes_of(browser, server, "dashboard/server/")
    print(f"first view {sum(first.values()) / 1000:.0f} kB, second {sum(second.values()) / 1000:.0f} kB")
    assert 100_000 < sum(first.values()) <= FIRST_VIEW, first
    assert sum(second.values()) <= SECOND_VIEW, second


def test_the_numbers_of_twelve_series_weigh_little(server: Served, eventually: Callable[..., None]) -> None:
    def window() -> bytes:
        answer = server.ask("/feeds/twelve/window.json", Accept_Encoding="gzip")
        assert answer.headers["Content-Encoding"] == "gzip"
        return answer.body

    def lengths() -> list[int]:
        return [len(one["t"]) for one in json.loads(gzip.decompress(window()))["series"]]

    eventually(lambda: lengths() == [1000] * SERIES, 20)  # a new window.json comes every 10 s
    assert len(window()) <= NUMBERS


@pytest.mark.quiet
def test_twelve_plots_at_one_hertz_leave_the_browser_idle_and_its_heap_flat(open_tab: Open, server: Served) -> None:
    """By default for 20 s; PAGE_MINUTES=60 for an hour."""
    seconds = float(os.environ.get("PAGE_MINUTES", 1 / 3)) * 60
    tab = open_tab("dashboard/twelve/")
    tap = tab.context.new_cdp_session(tab.page)
    tap.send("Performance.enable", {"timeDomain": "threadTicks"})  # processor time: others have the machine, too

    def measured() -> tuple[float, float]:
        tap.send("HeapProfiler.collectGarbage")
        metrics = {one["name"]: one["value"] for one in tap.send("Performance.getMetrics")["metrics"]}
        return metrics["ThreadTime"], metrics["JSHeapUsedSize"]

    def push_for(duration_s: float) -> float:
        started = time.monotonic()
        while time.monotonic() - started < duration_s:
            body = "\n".join(f"twelve,n={n} v={random():.4f}" for n in range(SERIES)).encode()
            server.ask("/api/v2/write", "POST", body, Authorization=f"Bearer {TOKEN}")
            tab.page.wait_for_timeout(1000)
        return time.monotonic() - started

    push_for(10)
    time_before, heap_before = measured()
    elapsed = push_for(seconds)
    time_after, heap_after = measured()
    busy = (time_after - time_before) / elapsed
    print(f"main thread {busy:.1%} busy, heap {heap_before / 1e6:.1f} -> {heap_after / 1e6:.1f} MB")
    assert 0 < busy < BUSY
    assert heap_after < heap_before * 1.05 + 500_000
