"""A page of somebody else's, in the browser of who may push: it stores nothing."""

import re
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread

import pytest
from playwright.sync_api import Browser, Page
from served import TOKEN, Served

PUSHES = ["/api/series", "/api/v2/write", "/write", "/v1/metrics", "/collectd"]
# As a form of the kind text/plain sends it: the name, =, the value.
FORM = """<!doctype html><title>Theirs</title><form method="post" enctype="text/plain" action="{}write">
<input name="foreign.form v" value="1"><button>Look at kittens</button></form>"""
FETCH = """async ([url, body]) => {
    const options = {method: "POST", mode: "no-cors", credentials: "include", body}
    try { return (await fetch(url, options)).type } catch { return "blocked" }
}"""


@pytest.fixture(scope="module")
def site(server: Served) -> Iterator[str]:
    """The address of a page of another origin, without any policy."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.send_header("Content-Type", "text/html")
            self.end_headers()
            self.wfile.write(FORM.format(server.url).encode())

        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as http:
        thread = Thread(target=http.serve_forever)
        thread.start()
        yield f"http://localhost:{http.server_port}/"
        http.shutdown()
        thread.join()


@pytest.fixture(params=[False, True], ids=["a stranger", "who has given the token as a password"])
def page(request: pytest.FixtureRequest, browser: Browser, server: Served) -> Iterator[Page]:
    """A page of a browser that was given the token for this server, or not."""
    options = {"http_credentials": {"username": "x", "password": TOKEN}} if request.param else {}
    context = browser.new_context(**options)  # type: ignore[arg-type]
    one = context.new_page()
    if request.param:
        one.set_extra_http_headers({"X-Forwarded-For": "192.0.2.7"})  # else there it asks nobody for it
        answer = one.goto(f"{server.url}metrics")
        assert answer
        assert answer.status == 200
        one.set_extra_http_headers({})
    yield one
    context.close()


def refusals(server: Served, path: str) -> int:
    return len(re.findall(rf'"POST {path} HTTP/1\.1" 40[13] ', server.log))


def names(server: Served) -> list[str]:
    return [one["name"] for one in server.ask("/api/series").json["series"] if "foreign" in one["name"]]


def test_a_form_of_another_site_stores_nothing(
    page: Page, site: str, server: Served, eventually: Callable[..., None]
) -> None:
    before = refusals(server, "/write")
    page.goto(site)
    page.get_by_role("button").click(no_wait_after=True)
    eventually(lambda: refusals(server, "/write") > before)
    assert names(server) == []


@pytest.mark.parametrize("path", PUSHES)
def test_a_script_of_another_site_stores_nothing(
    page: Page, site: str, server: Served, path: str, eventually: Callable[..., None]
) -> None:
    before = refusals(server, path)
    page.goto(site)
    for body in ('{"name": "foreign.fetch", "value": 1}', "foreign.fetch v=1"):
        assert page.evaluate(FETCH, [server.url.rstrip("/") + path, body]) == "blocked"
    eventually(lambda: refusals(server, path) >= before + 2)
    assert names(server) == []


def test_a_script_of_another_site_reads_and_deletes_nothing(page: Page, site: str, server: Served) -> None:
    server.push({"name": "ours.alone", "value": 1})
    page.goto(site)
    asked = """([url, method]) => fetch(url, {method, credentials: "include"}).then(() => "read", () => "refused")"""
    for path, method in (("api/series", "GET"), ("feeds/server/tail.json", "GET"), ("embed.js", "GET")):
        assert page.evaluate(asked, [server.url + path, method]) == "refused"
    assert page.evaluate(asked, [f"{server.url}api/series?name=ours.alone", "DELETE"]) == "refused"
    assert server.ask("/api/series?name=ours.alone").json["v"][-1] == 1
