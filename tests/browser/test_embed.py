"""Plots in pages of other origins: by a script, by a frame, and not where they are not allowed."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe
from own_apache import Host, own_apache
from playwright.sync_api import Browser, FrameLocator, Page
from served import PLOTS, Served

Eventually = Callable[..., None]
# Their policy is as strict as a wiki's may be.
POLICY = "default-src 'none'; script-src {0}; frame-src {0}; img-src {0}; style-src 'unsafe-inline'"
HEAD = '<!doctype html><html lang="en"><meta charset="utf-8"><title>Wiki</title><main><h1>Wiki</h1>'
SCRIPT = '<div data-tidegauge="server" {1}></div><script src="{0}embed.js" async></script>'
PAGES = {
    "/script": SCRIPT,
    "/plot": SCRIPT.replace("{1}", 'data-plot="2"'),
    "/two": SCRIPT.replace("{1}", 'data-plot="2" data-theme="dark" data-title="Load"')
    + SCRIPT.replace("{1}", 'data-plot="1"'),
    "/tutorial": SCRIPT.replace("server", "exponential"),
    "/frame": '<a href="#">Before</a><iframe title="Plot" width="600" height="350"'
    ' src="{0}dashboard/server/?embed&plot=1"></iframe><a href="#">After</a>',
    "/whole-page": '<iframe title="Page" width="600" height="350" src="{0}dashboard/server/"></iframe>',
    "/no-plot": SCRIPT.replace("{1}", 'data-plot="&lt;img src=x&gt;"'),
    "/nothing": SCRIPT.replace("server", "nothing"),
    "/images": '<img alt="ours" src="{0}static/{2}"><img alt="line" src="{0}spark/process.memory.svg">',
}  # fmt: skip


class Site:
    """A server of another origin, whose pages embed what is at *target*."""

    def __init__(self) -> None:
        self.target = self.image = ""
        site = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                page = PAGES.get(self.path, "").format(site.target, "", site.image)
                self.send_response(200)
                self.send_header("Content-Type", "text/html")
                self.send_header("Content-Security-Policy", POLICY.format(site.target))
                self.end_headers()
                self.wfile.write((HEAD + page + "</main></html>").encode())

            def log_message(self, *_: object) -> None:
                pass

        self.http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.origin = f"http://127.0.0.1:{self.http.server_port}"


@contextmanager
def serving() -> Iterator[Site]:
    site = Site()
    thread = Thread(target=site.http.serve_forever)
    thread.start()
    yield site
    site.http.shutdown()
    thread.join()
    site.http.server_close()


@pytest.fixture(scope="module")
def wiki() -> Iterator[Site]:
    with serving() as site:
        yield site


@pytest.fixture(scope="module")
def stranger() -> Iterator[Site]:
    with serving() as site:
        yield site


@pytest.fixture(scope="module")
def host(server: Served, wiki: Site, stranger: Site) -> Iterator[Host]:
    """A host's own Apache with Tidegauge under /live, which allows the wiki to embed."""
    settings = {"TIDEGAUGE_EMBED_ORIGINS": f"https://other.example,{wiki.origin}"}
    with own_apache(server, settings=settings, modules=("reqtimeout",)) as one:
        one.wait_ready("/live/health/ready")
        for site in (wiki, stranger):
            site.target = f"{one.url}live/"
            site.image = one.ask("/live/").body.decode().split("static/", 1)[1].split('"')[0]
        yield one


class Visit:
    """A page of a site in a browser, and what was complained about."""

    def __init__(self, page: Page) -> None:
        self.page = page
        self.complaints: list[str] = []
        self.answers: dict[str, int] = {}
        page.on("console", lambda one: self.complaints.append(one.text) if one.type == "error" else None)
        page.on("pageerror", lambda error: self.complaints.append(str(error)))

    def frame(self, n: int = 0) -> FrameLocator:
        return self.page.frame_locator("iframe").nth(n)

    def height(self, n: int = 0) -> float:
        box = self.page.locator("iframe").nth(n).bounding_box()
        return box["height"] if box else 0.0

    def wait_drawn(self, n: int = 0) -> None:
        self.frame(n).locator("#figures canvas").first.wait_for(state="attached")


@pytest.fixture
def visit(browser: Browser, host: Host) -> Iterator[Callable[..., Visit]]:
    assert host.is_ready("/live/health/ready")
    contexts = []

    def open_one(url: str, **options: Any) -> Visit:
        contexts.append(browser.new_context(**options))
        one = Visit(contexts[-1].new_page())
        one.page.goto(url)
        return one

    yield open_one
    for context in contexts:
        context.close()


def wait(visit: Visit) -> bool:
    visit.page.wait_for_timeout(100)
    return True


def test_two_lines_of_html_put_a_dashboard_into_a_page_of_an_allowed_origin(
    visit: Callable[..., Visit], wiki: Site, eventually: Eventually
) -> None:
    one = visit(f"{wiki.origin}/script")
    one.wait_drawn()
    frame = one.frame()
    assert frame.locator("#figures canvas").count() >= PLOTS
    eventually(lambda: wait(one) and frame.locator("#state").get_attribute("data-state") == "live")
    for hidden in ("#toolbar", "#numbers", "#state", "header a"):
        assert not frame.locator(hidden).is_visible(), hidden
    assert one.page.locator("iframe").get_attribute("title") == "This server · Tidegauge"
    assert one.complaints == []


def test_the_frame_is_as_high_as_its_plots_at_every_width(
    visit: Callable[..., Visit], wiki: Site, eventually: Eventually
) -> None:
    one = visit(f"{wiki.origin}/script", viewport={"width": 1300, "height": 800})
    one.wait_drawn()
    content = one.page.frames[1]

    def fits() -> bool:
        inside = content.evaluate(
            "[document.body.getBoundingClientRect().height, document.documentElement.scrollHeight]"
        )
        return wait(one) and abs(one.height() - inside[0]) <= 1 and inside[1] <= one.height() + 1

    eventually(lambda: fits() and one.height() > 500)
    wide = one.height()
    one.page.set_viewport_size({"width": 390, "height": 800})
    eventually(lambda: fits() and one.height() != wide)
    assert content.evaluate("document.documentElement.scrollWidth") <= 390


def test_a_page_has_as_many_plots_as_it_names_each_with_its_theme_and_title(
    visit: Callable[..., Visit], wiki: Site, eventually: Eventually
) -> None:
    one = visit(f"{wiki.origin}/two", color_scheme="light")
    for n in (0, 1):
        one.wait_drawn(n)
        eventually(lambda n=n: wait(one) and 200 < one.height(n) < 400)
        assert one.frame(n).locator("#numbers article").count() == 1
    assert one.page.locator("iframe").count() == 2
    themes = [one.frame(n).locator("html").get_attribute("data-theme") for n in (0, 1)]
    assert themes == ["dark", "light"]
    assert one.page.locator("iframe").first.get_attribute("title") == "Load"
    titles = [one.frame(n).locator("#numbers summary span").first.text_content() for n in (0, 1)]
    assert titles[0] != titles[1]
    assert one.complaints == []


def test_a_plot_keeps_its_numbers_when_the_theme_of_the_system_changes(
    visit: Callable[..., Visit], wiki: Site, eventually: Eventually
) -> None:
    one = visit(f"{wiki.origin}/plot", color_scheme="light")
    one.wait_drawn()
    one.page.emulate_media(color_scheme="dark")
    eventually(lambda: wait(one) and one.frame().locator("html").get_attribute("data-theme") == "dark")
    one.page.wait_for_timeout(500)
    points = """() => Bokeh.documents.map(
        (one) => [...one.all_models].filter((model) => model.series).map((model) => model.data.t.length))"""
    found = one.page.frames[1].evaluate(points)
    assert len(found) == 1
    assert all(found[0])
    assert one.complaints == []


def test_the_tutorial_is_embedded_too(visit: Callable[..., Visit], wiki: Site) -> None:
    one = visit(f"{wiki.origin}/tutorial")
    one.wait_drawn()
    assert one.complaints == []


def test_a_frame_is_passed_by_keyboard_and_takes_keys_while_it_has_the_focus(
    visit: Callable[..., Visit], wiki: Site, eventually: Eventually
) -> None:
    one = visit(f"{wiki.origin}/frame")
    one.wait_drawn()
    frame = one.frame()
    eventually(lambda: wait(one) and frame.locator("#state").get_attribute("data-state") == "live")
    one.page.keyboard.press("Tab")
    one.page.keyboard.press("Tab")
    one.page.keyboard.press("p")
    eventually(lambda: wait(one) and frame.locator("#state").is_visible())
    assert frame.locator("#state strong").inner_text() == "paused"
    for _ in range(20):
        one.page.keyboard.press("Tab")
        if one.page.evaluate("document.activeElement.textContent") == "After":
            break
    assert one.page.evaluate("document.activeElement.textContent") == "After"
    assert one.complaints == []


def test_another_origin_is_refused(visit: Callable[..., Visit], stranger: Site) -> None:
    for path in ("/script", "/frame"):
        one = visit(stranger.origin + path)
        one.page.locator("iframe").wait_for()
        one.page.wait_for_timeout(1000)
        assert one.frame().locator("#figures").count() == 0
        assert any("frame-ancestors" in complaint for complaint in one.complaints)


def test_what_is_no_embedded_view_is_refused_to_an_allowed_origin_too(visit: Callable[..., Visit], wiki: Site) -> None:
    one = visit(f"{wiki.origin}/whole-page")
    one.page.wait_for_timeout(1000)
    assert one.frame().locator("#figures").count() == 0
    assert any("frame-ancestors 'none'" in complaint for complaint in one.complaints)


@pytest.mark.parametrize(
    ("path", "sentence"),
    [("/no-plot", 'there is no plot "<img src=x>" among the'), ("/nothing", "There is no dashboard 'nothing'.")],
)
def test_what_is_not_there_is_said_in_the_frame(
    visit: Callable[..., Visit], wiki: Site, eventually: Eventually, path: str, sentence: str
) -> None:
    one = visit(wiki.origin + path)
    eventually(lambda: wait(one) and sentence in one.frame().locator("body").inner_text())
    assert one.frame().locator("img").count() == 0


def test_a_page_that_is_not_allowed_learns_no_height(visit: Callable[..., Visit], host: Host) -> None:
    """The policy of frames aside, the view itself answers to nobody else."""
    one = visit(f"{host.url}live/dashboard/server/?embed&plot=1")
    one.page.locator("#figures canvas").first.wait_for(state="attached")
    script = """origin => new Promise((resolve) => {
        parent.postMessage = (message, target) => resolve([message.tidegauge.height > 100, target]);
        dispatchEvent(new MessageEvent("message", {source: parent, origin, data: {tidegauge: "height"}}));
        setTimeout(resolve, 300, "nothing");
    })"""
    assert one.page.evaluate(script, "https://evil.example") == "nothing"
    assert one.page.evaluate(script, "https://other.example") == [True, "https://other.example"]


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_axe_finds_nothing_in_an_embedded_view(visit: Callable[..., Visit], host: Host, theme: str) -> None:
    one = visit(f"{host.url}live/dashboard/server/?embed", color_scheme=theme)
    one.page.get_by_role("img").first.wait_for()
    found = Axe().run(one.page).response["violations"]
    assert [f"{rule['id']}: {node['target']}" for rule in found for node in rule["nodes"]] == []
    assert one.complaints == []


def test_other_origins_load_the_script_and_sparklines_and_nothing_else(
    host: Host, visit: Callable[..., Visit], wiki: Site
) -> None:
    script = host.ask("/live/embed.js")
    assert script.headers["Cross-Origin-Resource-Policy"] == "cross-origin"
    assert script.headers["Cache-Control"] == "max-age=600"
    assert host.ask("/live/embed.js", If_None_Match=script.headers["ETag"]).status == 304
    for path in (
        "",
        "dashboard/server/?embed",
        "feeds/server/tail.json",
        f"static/{wiki.image}",
        "api/series",
        "nothing",
    ):
        answer = host.ask(f"/live/{path}")
        assert answer.headers["Cross-Origin-Resource-Policy"] == "same-origin", path
    assert host.ask("/live/spark/nothing.svg").headers["Cross-Origin-Resource-Policy"] == "cross-origin"
    one = visit(f"{wiki.origin}/images")
    one.page.wait_for_timeout(300)
    widths = one.page.locator("img").evaluate_all("images => images.map((image) => image.naturalWidth > 0)")
    assert widths == [False, True]


def test_nobody_embeds_where_no_origin_is_named(server: Served) -> None:
    policy = server.ask("/dashboard/server/?embed").headers["Content-Security-Policy"]
    assert "frame-ancestors 'none'" in policy
    assert server.ask("/spark/nothing.svg").headers["Cross-Origin-Resource-Policy"] == "same-origin"
    assert server.ask("/embed.js").headers["Cross-Origin-Resource-Policy"] == "cross-origin"
