from collections.abc import Callable, Iterator
from pathlib import Path
from time import monotonic

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, BrowserContext, Page, sync_playwright
from served import Served

CHROMIUM = "/usr/bin/chromium"
FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]


@pytest.fixture(scope="session")
def browser(require: Callable[[bool, str], None]) -> Iterator[Browser]:
    require(Path(CHROMIUM).exists(), "needs Chromium: apt-get install chromium")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        yield browser
        browser.close()


class Tab:
    """A page with a record of all it asked for and of all it complained about."""

    def __init__(self, context: BrowserContext, server: Served) -> None:
        self.server = server
        self.context = context
        self.page: Page = context.new_page()
        self.complaints: list[str] = []
        self.urls: list[str] = []
        self.page.on("console", lambda message: self._hear(message.type, message.text))
        self.page.on("pageerror", lambda error: self.complaints.append(str(error)))
        self.page.on("request", lambda request: self.urls.append(request.url))

    def _hear(self, kind: str, text: str) -> None:
        if kind == "error":
            self.complaints.append(text)

    def open(self, path: str) -> None:
        self.page.goto(self.server.url + path)
        # wait_for_function needs eval
        self.page.locator("#figures canvas, .card").first.wait_for(state="attached")

    def violations(self) -> list[str]:
        """What axe-core finds on the page as it is now."""
        found = Axe().run(self.page).response["violations"]
        return [f"{one['id']}: {node['target']}" for one in found for node in one["nodes"]]

    def until(self, condition: Callable[[], object], within_s: float = 30.0) -> None:
        """Let the page go on until a condition holds: the browser is driven from this thread alone."""
        deadline = monotonic() + within_s
        while not condition():
            assert monotonic() < deadline, f"did not come true within {within_s} s"
            self.page.wait_for_timeout(100)

    def state(self) -> str:
        return str(self.page.locator("#state strong").inner_text())

    def points(self, series: str) -> list[list[float | None]]:
        """What is drawn of a series: rows of time and value."""
        script = """series => {
            for (const document of Bokeh.documents) for (const model of document.all_models)
                if (model.series === series)
                    return Array.from(model.data.t, (t, i) => [t, isNaN(model.data.v[i]) ? null : model.data.v[i]])
        }"""
        return list(self.page.evaluate(script, series))


@pytest.fixture
def open_tab(browser: Browser, server: Served) -> Iterator[Callable[..., Tab]]:
    """Open a page in a browser profile of its own; its options are those of a browser context."""
    contexts: list[BrowserContext] = []

    def open_one(path: str, at: Served = server, **options: object) -> Tab:
        contexts.append(browser.new_context(**options))  # type: ignore[arg-type]
        tab = Tab(contexts[-1], at)
        tab.open(path)
        return tab

    yield open_one
    for context in contexts:
        context.close()
