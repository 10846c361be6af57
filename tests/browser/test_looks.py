"""How the main pages look, beside reviewed pictures: `LOOKS=accept .venv/bin/pytest tests/browser/test_looks.py` takes
them anew. Look at each before you commit it.
"""

import io
import os
from collections.abc import Callable, Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import served
from numpy.typing import NDArray
from PIL import Image
from served import Served

Open = Callable[..., Any]
PICTURES = Path(__file__).parent / "looks"
SCALE = 4  # pixels of a page are one of its picture: edges of letters and lines do not count
CHANGED = 24  # of 255: a pixel that differs by more is another one
TOLERANCE = 0.01  # of all pixels
WIDE, PHONE = {"width": 1400, "height": 900}, {"width": 390, "height": 844}
START = 1_795_000_000_000
PAGES = {
    "front": "",
    "dashboard": f"dashboard/zoo/?from={START}&to={START + 600_000}",
    "explore": f"explore/?series=usage%7Bhost%3D*%7D&from={START}&to={START + 600_000}",
}
# What is another one each time: ages and the state that is just being found.
CALM = ".state, .state *, .age, [data-name=server] .newest { visibility: hidden !important; }"
# Remember the times that are written on axes from now on: [text, left, right] in CSS pixels, as often as they are.
REMEMBER = """() => {
    window.written = [];
    const {fillText} = CanvasRenderingContext2D.prototype;
    CanvasRenderingContext2D.prototype.fillText = function (text, x, y) {
        const {a, e} = this.getTransform();
        const left = (e + a * x) / devicePixelRatio;
        if (/^\\d+:\\d\\d/.test(text)) written.push([text, left, left + this.measureText(text).width]);
        fillText.call(this, text, x, y);
    };
}"""


@pytest.fixture(scope="module")
def server(eventually: Callable[..., None]) -> Iterator[Served]:
    one = served.start(TIDEGAUGE_DASHBOARDS=str(Path(__file__).parent / "dashboards"))
    samples: list[dict[str, object]] = [
        {"name": f"usage{{host={host}}}", "value": 50 + n * 10 + (at % 20) * (n - 1), "time": START + at * 1000}
        for at in range(600)
        for n, host in enumerate(("db", "web1", "web2"))
    ]
    samples += [{"name": "traffic", "value": at * at, "time": START + at * 1000} for at in range(600)]
    one.push(*samples)
    eventually(lambda: b"usage{host=db}" in one.ask("/feeds/front.json").body, 15)  # a new one comes every 5 s
    yield one
    served.stop(one)


def picture(tab: Any) -> NDArray[np.int16]:
    tab.page.add_style_tag(content=CALM)
    tab.page.wait_for_timeout(1500)
    shot = Image.open(io.BytesIO(tab.page.screenshot())).convert("RGB")
    small = shot.resize((shot.width // SCALE, shot.height // SCALE), Image.Resampling.BOX)
    return np.asarray(small, np.int16)


def changed(one: NDArray[np.int16], other: NDArray[np.int16]) -> float:
    """The share of the pixels that differ."""
    if one.shape != other.shape:
        return 1.0
    return float((np.abs(one - other).max(axis=2) > CHANGED).mean())


def look(open_tab: Open, page: str, phone: bool) -> Any:
    size, scheme = (PHONE, "dark") if phone else (WIDE, "light")
    return open_tab(PAGES[page], viewport=size, color_scheme=scheme, timezone_id="Europe/Berlin", bypass_csp=True)


@pytest.mark.parametrize("phone", [False, True], ids=["wide-light", "phone-dark"])
@pytest.mark.parametrize("page", PAGES)
def test_a_page_looks_as_it_was_reviewed(open_tab: Open, page: str, phone: bool) -> None:
    found = picture(look(open_tab, page, phone))
    reviewed = PICTURES / f"{page}-{'phone-dark' if phone else 'wide-light'}.png"
    if os.environ.get("LOOKS") == "accept":
        Image.fromarray(found.astype(np.uint8)).save(reviewed, optimize=True)
    share = changed(found, np.asarray(Image.open(reviewed).convert("RGB"), np.int16))
    if share > TOLERANCE:
        Image.fromarray(found.astype(np.uint8)).save(f"/tmp/{reviewed.name}")  # noqa: S108 - to be looked at
    assert share <= TOLERANCE


@pytest.mark.parametrize(
    "change", [".toolbar { padding-bottom: 2rem; }", ":root { --paper: #dde; }", "h1 { display: none; }"]
)
def test_a_change_of_layout_or_colour_is_noticed(open_tab: Open, change: str) -> None:
    tab = look(open_tab, "dashboard", False)
    before = picture(tab)
    tab.page.add_style_tag(content=change)
    assert changed(before, picture(tab)) > TOLERANCE


def test_times_on_an_axis_do_not_run_into_each_other(open_tab: Open) -> None:
    tab = open_tab(f"dashboard/zoo/?from={START}&to={START + 60_000}", viewport=PHONE, color_scheme="light")
    tab.page.evaluate(REMEMBER)
    tab.page.get_by_label("Theme").select_option("Dark")
    tab.page.wait_for_timeout(1500)
    written = tab.page.evaluate("window.written")
    neighbours = [(one, other) for one, other in pairwise(written) if one[1] < other[1]]  # else it is the next axis
    assert len(neighbours) >= 2
    assert [(one, other) for one, other in neighbours if other[1] - one[2] < 5] == []
    assert tab.complaints == []
