"""What an update costs the browser that shows it, and what it leaves in the heap: Chromium, with all plots in sight.

An update is one more point in each of twelve plots, counted in the page (browser.js).
Times are processor times: others have the machine, too.
"""

import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from random import random
from typing import Any

import served
from browser.conftest import CHROMIUM, FLAGS
from playwright.sync_api import Browser, Response, sync_playwright
from served import TOKEN, Served

from bench import servers, trace
from bench.report import Table

OURS = "Tidegauge"
TUTORIAL = "tutorial, gunicorn"
DASH = "Dash, gunicorn"
SERIES, SAMPLES = 12, 1000
PACE_MS = 500  # between two updates, of all
FASTEST_MS = 100
AT_ONCE, PATIENCE_S = 50, 900
WARM_UP = 5  # updates, until the scripts are compiled
ROUND = 20  # updates
WAIT_S = 30.0


@dataclass(frozen=True)
class Shown:
    """A contender's page."""

    url: str
    answers: str  # a part of the URLs that new points come from
    newest: Callable[[Any], float]  # finds the newest time in such an answer
    push: Callable[[], None] | None = None  # makes a point for each plot, where none comes by itself


class Tab:
    """A page that is shown, and counts its updates."""

    def __init__(self, browser: Browser, shown: Shown) -> None:
        self.browser, self.shown = browser, shown
        self.page = browser.new_page(viewport={"width": 640, "height": 4200})  # a column of plots
        self._tap = self.page.context.new_cdp_session(self.page)
        self._tap.send("Performance.enable", {"timeDomain": "threadTicks"})
        self._tap_of_browser = browser.new_browser_cdp_session()
        self.page.goto(shown.url)
        script = Path(__file__).with_suffix(".js").read_text("utf-8")
        deadline = time.monotonic() + WAIT_S
        while True:
            try:
                self._run(script)
                break
            except RuntimeError:  # not all is drawn yet
                if time.monotonic() > deadline:
                    raise
                self.page.wait_for_timeout(200)
        self.update(WARM_UP)

    def _run(self, script: str) -> Any:
        asked = {"expression": script, "awaitPromise": True, "returnByValue": True}
        answer = self._tap.send("Runtime.evaluate", asked)
        if "exceptionDetails" in answer:
            raise RuntimeError(f"{self.shown.url}: {answer['exceptionDetails']['exception']['description']}")
        return answer["result"].get("value")

    def _metrics(self) -> dict[str, float]:
        return {one["name"]: one["value"] for one in self._tap.send("Performance.getMetrics")["metrics"]}

    def _spent_ms(self) -> tuple[float, float]:
        """Return what the page's main thread has spent without what we ask of it, and all processes of the browser."""
        of = self._metrics()
        processes = self._tap_of_browser.send("SystemInfo.getProcessInfo")["processInfo"]
        main_s = of["TaskDuration"] - of["DevToolsCommandDuration"]
        return main_s * 1000, sum(one["cpuTime"] for one in processes) * 1000

    def update(self, times: int) -> None:
        """Let every plot get so many more points, one after the other."""
        count = self._run("updates.count()")
        for done in range(times):
            if self.shown.push:
                self.shown.push()
            self._run(f"updates.reach({count + done + 1})")

    def cost_ms(self, updates: int) -> dict[str, float]:
        """Return the processor time of an update, by who spends it."""
        self.browser.start_tracing(page=self.page, categories=trace.CATEGORIES)
        main_before, all_before = self._spent_ms()
        self.update(updates)
        main_after, all_after = self._spent_ms()
        spent = trace.spent_ms(self.browser.stop_tracing())
        spent |= {"main thread": main_after - main_before, "whole browser": all_after - all_before}
        return {name: value / updates for name, value in spent.items()}

    def heap_mb(self) -> float:
        """Return what is alive in the heap."""
        self._tap.send("HeapProfiler.collectGarbage")
        return self._metrics()["JSHeapUsedSize"] / 1e6

    def check(self) -> None:
        """Raise unless every plot gets the points that the page is sent."""

        def brings(answer: Response) -> bool:
            return self.shown.answers in answer.url and answer.status == 200

        with self.page.expect_response(brings) as found:
            self.update(1)
        newest = self.shown.newest(found.value.json())
        self.update(2)  # one may have been on its way
        drawn = self._run("updates.newest")
        if len(drawn) != SERIES or min(drawn) < newest:
            raise RuntimeError(f"{self.shown.url}: the plots' newest points are {drawn}, and {newest} was sent")


@contextmanager
def _opened(browser: Browser, shown: Shown) -> Iterator[Tab]:
    tab = Tab(browser, shown)
    yield tab
    tab.check()
    tab.page.close()


@contextmanager
def _serve() -> Iterator[Served]:
    """Serve Tidegauge with twelve series of 1,000 samples."""
    dashboards = str(Path(__file__).parent / "dashboards/twelve")
    one = served.start(TIDEGAUGE_DASHBOARDS=dashboards, TIDEGAUGE_POLL_MS=str(PACE_MS), TIDEGAUGE_PUBLISH_MS="50")
    try:
        now = time.time_ns() // 1_000_000
        _push(one, *(now - PACE_MS * back for back in range(SAMPLES, 0, -1)))
        yield one
    finally:
        served.stop(one)


def _push(server: Served, *times: int) -> None:
    """Push a sample of each series at each of *times*, ms since the Unix epoch; without any, now."""
    lines = [f"twelve,n={n} v={random():.4f} {stamp}" for stamp in times or [""] for n in range(SERIES)]
    body = "\n".join(lines).encode()
    answer = server.ask("/api/v2/write?precision=ms", "POST", body, Authorization=f"Bearer {TOKEN}")
    if answer.status != 204:
        raise RuntimeError(f"a push was answered by {answer.status}: {answer.body!r}")


@contextmanager
def _ours(server: Served, every_ms: int) -> Iterator[Shown]:
    if server.environ["TIDEGAUGE_POLL_MS"] != str(every_ms):
        server.environ["TIDEGAUGE_POLL_MS"] = str(every_ms)
        server.command("stop")
        server.command("start")

    def newest(tail: Any) -> float:
        return float(max(one["t"][-1] for one in tail["series"]))

    yield Shown(f"{server.url}dashboard/twelve/", "tail.json", newest, lambda: _push(server))


@contextmanager
def _tutorial(every_ms: int) -> Iterator[Shown]:
    with servers.tutorial() as one:
        yield Shown(f"{one.url}/twelve/?every_ms={every_ms}", "/random/", lambda answer: answer["x"][0])


@contextmanager
def _dash(every_ms: int) -> Iterator[Shown]:
    def newest(answer: Any) -> float:
        return float(answer["response"]["graph-0"]["extendData"][0]["x"][0][0])

    with servers.dash() as one:
        yield Shown(f"{one.url}/twelve/{every_ms}/", "_dash-update-component", newest)


Start = Callable[[int], AbstractContextManager[Shown]]  # to an update each so many milliseconds
Contenders = tuple[Browser, dict[str, Start]]


@contextmanager
def starts() -> Iterator[Contenders]:
    """Start what all contenders need: a browser, and Tidegauge's server."""
    with (
        _serve() as server,
        sync_playwright() as playwright,
        playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS) as browser,
    ):
        # The tutorial last: its plots keep every point, so that each update takes longer.
        yield browser, {OURS: lambda every_ms: _ours(server, every_ms), DASH: _dash, TUTORIAL: _tutorial}


def cost(contenders: Contenders, updates: int) -> Table:
    """Return what each of *updates* costs at 1,000 points in each plot."""
    columns = dict.fromkeys(["script", "layout", "main thread", "whole browser"], "ms")
    table = Table(f"In the browser: an update of {SERIES} plots of {SAMPLES:,} points", columns, TUTORIAL, "script")
    rounds = max(1, updates // ROUND)
    browser, start_of = contenders
    for _ in range(rounds):
        for name, start in start_of.items():
            with start(PACE_MS) as shown, _opened(browser, shown) as tab:
                table.add(name, **tab.cost_ms(updates // rounds))
    return table


def heap(contenders: Contenders, updates: int) -> Iterator[Table]:
    """Yield what so many updates leave in the heap, as fast as each allows; after each contender, as they take long.

    Who keeps every point takes ever longer for the next: after PATIENCE_S it counts as far as it is.
    """
    columns = {"before": "MB", "after": "MB", "updates": ""}
    title = f"In the browser: the heap after {updates:,} updates of {SERIES} plots, or {PATIENCE_S / 60:g} minutes"
    table = Table(title, columns, OURS, "after")
    browser, start_of = contenders
    for name, start in start_of.items():
        with start(FASTEST_MS) as shown, _opened(browser, shown) as tab:
            tab.update(updates // 10)  # what is compiled on the way stays
            before, done, deadline = tab.heap_mb(), 0, time.monotonic() + PATIENCE_S
            while done < updates and time.monotonic() < deadline:
                tab.update(min(AT_ONCE, updates - done))
                done = min(done + AT_ONCE, updates)
            table.add(name, before=before, after=tab.heap_mb(), updates=done)
        yield table
