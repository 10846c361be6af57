"""The front page: live cards, series nobody has drawn, search, and what to do where nothing is there yet."""

import json
import re
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from own_apache import Host, own_apache
from served import ROOM_TOKEN, TOKEN, Served

Open = Callable[..., Any]
Eventually = Callable[..., None]
SERVER = '.card[data-name="server"]'
HOSTILE = "room.<img src=x onerror=alert(1)>\u05d0{x=a/b&c,y=\"'%}"


def push(server: Served, name: str, value: float | None, path: str = "/api/series") -> None:
    body = json.dumps({"name": name, "value": value}).encode()
    assert server.ask(path, "POST", body, Authorization=f"Bearer {ROOM_TOKEN}").status < 300


def row(tab: Any, name: str) -> Any:
    return tab.page.locator(".series li").filter(has=tab.page.get_by_text(name, exact=True))


@pytest.fixture(scope="module")
def new(server: Served) -> Iterator[Host]:
    """A host's Apache that has nothing of its user's yet, under /live/."""
    with own_apache(server) as host:
        yield host


def test_cards_and_series_are_live_from_one_feed(open_tab: Open, server: Served, eventually: Eventually) -> None:
    tab = open_tab("")
    line = tab.page.locator(f"{SERVER} path.line")
    before = line.get_attribute("d")
    push(server, HOSTILE, 1)
    eventually(lambda: row(tab, HOSTILE).count() == 1)
    push(server, HOSTILE, 2.5)
    eventually(lambda: row(tab, HOSTILE).locator(".value").inner_text() == "2.5")
    assert re.fullmatch(r"\d+ s ago", row(tab, HOSTILE).locator(".age").inner_text())
    assert line.get_attribute("d") != before
    assert tab.page.locator(f"{SERVER} svg").get_attribute("aria-label").startswith("apache.cpu: newest ")
    link = row(tab, HOSTILE).locator("a").evaluate("a => new URL(a.href).searchParams.get('series')")
    assert link == HOSTILE
    feeds = {url.partition("/feeds/")[2] for url in tab.urls if "/feeds/" in url}
    assert feeds == {"front.json"}
    row(tab, HOSTILE).locator("a").click()  # one click from a plot
    tab.page.locator("#figures canvas").first.wait_for(state="attached")
    assert tab.complaints == []


def test_a_link_of_the_servers_own_making_leads_to_the_same_series(open_tab: Open, server: Served) -> None:
    push(server, HOSTILE, 1)
    tab = open_tab("", java_script_enabled=False)
    row(tab, HOSTILE).wait_for()
    url = row(tab, HOSTILE).locator("a").get_attribute("href")
    assert url.startswith("./explore/?series=room.%3Cimg%20")
    assert not tab.page.locator("#toolbar").is_visible()


def test_one_finds_by_typing_and_opens_by_enter(open_tab: Open, server: Served, eventually: Eventually) -> None:
    push(server, "room.attic", 1)
    push(server, "room.cellar", 1)
    tab = open_tab("")
    eventually(lambda: row(tab, "room.cellar").is_visible())
    tab.page.keyboard.press("/")
    tab.page.keyboard.type("attic ROOM")
    eventually(lambda: not tab.page.locator(SERVER).is_visible())
    assert row(tab, "room.attic").is_visible()
    assert not row(tab, "room.cellar").is_visible()
    assert tab.page.locator("#found").inner_text() == "0 dashboards and 1 series found"
    assert tab.page.url.endswith("/?q=attic+ROOM")
    tab.page.reload()
    tab.page.locator("#search").wait_for()
    assert not tab.page.locator(SERVER).is_visible()
    tab.page.keyboard.press("/")
    tab.page.keyboard.press("Escape")
    assert tab.page.locator(SERVER).is_visible()
    assert tab.page.url == server.url
    tab.page.keyboard.type("no such thing")
    assert tab.page.locator("#found").inner_text() == "Nothing matches “no such thing”"
    tab.page.keyboard.press("Control+a")
    tab.page.keyboard.type("this server")
    assert tab.page.locator(".card:visible").count() == 1
    tab.page.keyboard.press("Enter")
    tab.page.wait_for_url("**/dashboard/server/")
    assert tab.complaints == []


def test_series_that_the_page_does_not_have_are_found_too(
    open_tab: Open, server: Served, eventually: Eventually
) -> None:
    lines = "\n".join(json.dumps({"name": f"room.many.{i:03}", "value": i}) for i in range(120))
    push_many = server.ask("/api/series", "POST", lines.encode(), Authorization=f"Bearer {ROOM_TOKEN}")
    assert push_many.status < 300
    tab = open_tab("")
    eventually(lambda: tab.page.locator("#more").is_visible(), within_s=15)
    assert row(tab, "room.many.119").count() == 0
    tab.page.keyboard.press("/")
    tab.page.keyboard.type("many 119")
    eventually(lambda: row(tab, "room.many.119").is_visible())
    assert tab.page.locator(".series li:visible").count() == 1
    tab.page.wait_for_timeout(6000)  # longer than from poll to poll: what was found stays
    assert row(tab, "room.many.119").is_visible()
    tab.page.keyboard.press("Escape")
    eventually(lambda: tab.page.locator(".series li:visible").count() == 100)
    names = "&".join(f"name=room.many.{i:03}" for i in range(120))
    assert server.ask(f"/api/series?{names}", "DELETE", Authorization=f"Bearer {ROOM_TOKEN}").status < 300
    assert tab.complaints == []


def test_the_page_says_when_it_is_offline_and_when_it_is_back(open_tab: Open, eventually: Eventually) -> None:
    tab = open_tab("")
    states = tab.page.locator(".state strong")
    eventually(lambda: set(states.all_inner_texts()) == {"live"})
    tab.context.set_offline(True)
    tab.page.evaluate("dispatchEvent(new Event('online'))")  # do not wait for the next poll
    eventually(lambda: set(states.all_inner_texts()) == {"offline"})
    tab.context.set_offline(False)
    eventually(lambda: set(states.all_inner_texts()) == {"live"}, within_s=15)


def test_a_hidden_tab_asks_for_nothing(open_tab: Open) -> None:
    tab = open_tab("")
    tab.page.wait_for_timeout(500)
    tab.page.evaluate("Object.defineProperty(document, 'hidden', {value: true})")
    tab.page.evaluate("document.dispatchEvent(new Event('visibilitychange'))")
    asked = len(tab.urls)
    tab.page.wait_for_timeout(6000)
    assert len(tab.urls) == asked


def test_the_theme_is_switched_here_too_and_remembered(open_tab: Open) -> None:
    tab = open_tab("", color_scheme="light")
    tab.page.get_by_label("Theme").select_option("Dark")
    background = "getComputedStyle(document.body).backgroundColor"
    assert tab.page.evaluate(background) == "rgb(14, 18, 22)"
    tab.page.reload()
    assert tab.page.evaluate(background) == "rgb(14, 18, 22)"
    assert tab.page.get_by_label("Theme").input_value() == "dark"


@pytest.mark.parametrize("granted", [True, False])
def test_commands_are_copied_or_selected_for_copying(open_tab: Open, new: Host, granted: bool) -> None:
    tab = open_tab("", permissions=["clipboard-read", "clipboard-write"] if granted else [])
    if not granted:  # as on plain HTTP from elsewhere
        tab.page.add_init_script("Object.defineProperty(navigator, 'clipboard', {value: undefined})")
    tab.page.goto(f"{new.url}live/")
    button = tab.page.get_by_role("button", name="Copy: push a number")
    button.click()
    copied = "() => navigator.clipboard.readText()" if granted else "() => getSelection().toString()"
    tab.page.get_by_text("It is ").wait_for()
    text = tab.page.evaluate(copied)
    assert text.startswith("curl ")
    assert text.strip().endswith(f" {new.url}live/api/series")
    assert tab.complaints == []


def code(tab: Any, title: str) -> str:
    return str(tab.page.get_by_role("region", name=title).locator("code").text_content())


def test_the_commands_do_what_they_say(open_tab: Open, server: Served, new: Host, tmp_path: Path) -> None:
    tab = open_tab("")
    tab.page.goto(f"{new.url}live/")
    (tmp_path / "my-dashboards").mkdir()
    environ = {"PATH": "/usr/bin:/bin"}
    subprocess.run(["bash", "-c", code(tab, "write a dashboard file")], cwd=tmp_path, env=environ, check=True)
    compile((tmp_path / "my-dashboards/load.py").read_text(), "load.py", "exec")
    command = code(tab, "push a number").replace(f"{new.url}live/", server.url)
    environ["TIDEGAUGE_PUSH_TOKEN"] = TOKEN
    pushed = subprocess.run(["bash", "-c", command], env=environ, check=True, capture_output=True, text=True)
    assert "status" not in pushed.stdout
    assert server.ask("/api/series?name=room.temperature").json["v"][-1] == 21.5
    token = code(tab, "start with a token, on a host").splitlines()[0] + '; echo "$TIDEGAUGE_PUSH_TOKEN"'
    assert re.fullmatch("[0-9a-f]{32}\n", subprocess.check_output(["bash", "-c", token], text=True))
    load = code(tab, "put load on this server").replace("seq 500", "seq 3")
    subprocess.run(["bash", "-c", load], check=True)


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_axe_finds_nothing_where_nothing_is_there_yet(open_tab: Open, new: Host, theme: str) -> None:
    tab = open_tab("", color_scheme=theme, viewport={"width": 390, "height": 800})
    tab.page.goto(f"{new.url}live/")
    tab.page.keyboard.press("?")
    assert tab.violations() == []
    assert tab.page.evaluate("document.documentElement.scrollWidth") == 390
    assert tab.complaints == []


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_axe_finds_nothing_on_a_search(open_tab: Open, server: Served, theme: str) -> None:
    push(server, HOSTILE, 1)
    tab = open_tab("?q=o", color_scheme=theme)
    tab.page.locator(".series li").first.wait_for()
    tab.page.keyboard.press("?")
    assert tab.violations() == []


def test_an_image_of_a_series_of_any_name_is_served_by_apache(server: Served, open_tab: Open) -> None:
    push(server, HOSTILE, 1)
    tab = open_tab("")
    script = """name => new Promise((resolve) => {
        const image = new Image();
        image.onload = () => resolve([image.naturalWidth, image.naturalHeight]);
        image.onerror = () => resolve("failed");
        image.src = `spark/${encodeURIComponent(name).replaceAll("%2F", "/")}.svg?width=100&height=20`;
    })"""
    assert tab.page.evaluate(script, HOSTILE) == [100, 20]
    assert server.ask("/spark/process.cpu.svg").headers["Cross-Origin-Resource-Policy"] == "same-origin"
    assert tab.complaints == []
