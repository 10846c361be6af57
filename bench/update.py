"""What an update for one viewer costs, and what a viewer costs who only waits for the next."""

import asyncio
import json
import shutil
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from threading import Event, Thread
from typing import Any

from bokeh.util.token import generate_jwt_token, generate_session_id
from served import Served
from tornado.httpclient import HTTPRequest
from tornado.websocket import WebSocketClientConnection, websocket_connect

from bench import servers, wrk
from bench.contender import Contender
from bench.report import Table
from bench.wrk import Request

POLL = Request("/feeds/server/tail.json")
SAME_FILE = Request("/feeds/server/bench.json")
INTERVAL = Request(
    "/_dash-update-component",
    "POST",
    {"Content-Type": "application/json"},
    json.dumps(
        {
            "output": "..graph-0.extendData..",
            "outputs": [{"id": "graph-0", "property": "extendData"}],
            "inputs": [{"id": "interval", "property": "n_intervals", "value": 1}],
            "changedPropIds": ["interval.n_intervals"],
        }
    ).encode(),
)
FILE = "static file, same host, headers and log"
BARE = "Apache, the same file, bare"
NGINX = "nginx, the same file"
TUTORIAL = "tutorial, gunicorn"
DASH = "Dash, gunicorn"
PYTHON = "Tidegauge, answer from Python"


@dataclass(frozen=True)
class Measured:
    """A contender, what an update of one viewer sends to it, and what tells a right answer."""

    server: Contender
    request: Request
    is_right: Callable[[bytes], bool]
    closes: bool = False


def polled(server: Served) -> Measured:
    """Return Tidegauge, and its poll."""
    series = len(json.loads((server.run / "feeds/server/tail.json").read_bytes())["series"])
    return Measured(servers.tidegauge(server), POLL, lambda answer: len(json.loads(answer)["series"]) == series)


def tutorial(server: Contender, prefix: str = "", **more: Any) -> Measured:
    """Return the tutorial, and its page's request."""

    def is_right(answer: bytes) -> bool:
        columns = json.loads(answer)
        return bool(columns["y"] == [2.0 ** columns["x"][0]])

    return Measured(server, Request(f"{prefix}/data/", "POST"), is_right, **more)


def dash(server: Contender) -> Measured:
    """Return Dash, and what its dcc.Interval sends."""

    def is_right(answer: bytes) -> bool:
        columns = json.loads(answer)["response"]["graph-0"]["extendData"][0]
        return bool(columns["y"] == [[2.0 ** columns["x"][0][0]]])

    return Measured(server, INTERVAL, is_right)


def check(found: dict[str, Measured]) -> None:
    """Ask each once; raises if an answer is not what it must be."""
    for name, one in found.items():
        sent = one.request
        answer = one.server.ask(sent.path, sent.method, sent.body, sent.headers)
        if not one.is_right(answer):
            raise RuntimeError(f"{name} answers wrongly: {answer[:300]!r}")


@contextmanager
def contenders(server: Served) -> Iterator[dict[str, Measured]]:
    """Start all that answer an update, each asked once, and its answer looked at."""
    feed = server.run / "feeds/server"
    same_size = feed / "bench.json"  # the same headers and log; another file, which nobody replaces
    shutil.copyfile(feed / "tail.json", same_size)
    same_size.chmod(0o644)
    body = same_size.read_bytes()
    ours = servers.tidegauge(server)
    with ExitStack() as stack:
        start = stack.enter_context
        found = {
            FILE: Measured(ours, SAME_FILE, body.__eq__),
            "Tidegauge": polled(server),
            PYTHON: Measured(ours, Request("/health/live"), lambda answer: json.loads(answer)["status"] == "pass"),
            BARE: Measured(start(servers.bare_apache({"tail.json": body})), Request("/tail.json"), body.__eq__),
            NGINX: Measured(start(servers.nginx({"tail.json": body})), Request("/tail.json"), body.__eq__),
            "tutorial, flask run": tutorial(start(servers.flask_server()), closes=True),
            TUTORIAL: tutorial(start(servers.tutorial())),
            "tutorial, mod_wsgi": tutorial(start(servers.tutorial_under_apache(server)), "/daemon"),
            DASH: dash(start(servers.dash())),
        }
        check(found)
        yield found


def measure(server: Served, rounds: int, seconds: float) -> Table:
    """Return requests a second and what each costs, at 64 connections."""
    columns = {"answers": "/s", "p50": "ms", "p99": "ms", "processor": "us"}
    table = Table("An update for one viewer, 64 connections", columns, FILE, "answers")
    with contenders(server) as found:
        for _ in range(rounds):
            for name, one in found.items():
                before = one.server.cpu_s()
                load = wrk.run(one.server.url, [one.request], seconds, closes=one.closes)
                spent = one.server.cpu_s() - before
                cost = spent / load.requests * 1e6
                table.add(name, answers=load.per_s, p50=load.p50_ms, p99=load.p99_ms, processor=cost)
        table.versions = {name: one.server.version for name, one in found.items() if one.server.version}
    with servers.bokeh_server() as bokeh:
        for _ in range(rounds):
            table.add("Bokeh Server", processor=asyncio.run(_bokeh_cost(bokeh, 50, 3 * seconds)))
        table.versions["Bokeh Server"] = bokeh.version
    return table


async def open_sessions(server: Contender, count: int) -> list[WebSocketClientConnection]:
    """Open *count* sessions of Bokeh Server, as its page does."""
    url = server.url.replace("http", "ws") + "/bokeh_app/ws"
    opened = []
    for _ in range(count):
        request = HTTPRequest(url)
        protocols = ["bokeh", generate_jwt_token(generate_session_id())]
        opened.append(await websocket_connect(request, subprotocols=protocols))
    return opened


async def _bokeh_cost(server: Contender, sessions: int, seconds: float) -> float:
    """Return microseconds of processor time for each update that open sessions receive."""
    updates = 0

    async def listen(connection: WebSocketClientConnection) -> None:
        nonlocal updates
        while (message := await connection.read_message()) is not None:
            updates += isinstance(message, str) and '"PATCH-DOC"' in message

    opened = await open_sessions(server, sessions)
    listening = [asyncio.ensure_future(listen(one)) for one in opened]
    await asyncio.sleep(2)
    before, updates = server.cpu_s(), 0
    await asyncio.sleep(seconds)
    spent = server.cpu_s() - before
    if updates < sessions * seconds / 4:
        raise RuntimeError(f"Bokeh Server sent {updates} updates to {sessions} sessions in {seconds} s")
    for one in opened:
        one.close()
    await asyncio.gather(*listening)
    return spent / updates * 1e6


def whole(server: Served, polls: int, seconds: float) -> Table:
    """Return what of so many polls was whole, at saturation, while their feed is renamed four times a second."""
    columns = {"polls": "", "broken": "", "renamed": "/s", "requests to Python": ""}
    table = Table("Polls at saturation, every body looked at", columns, "Tidegauge", "polls")
    ours = servers.tidegauge(server)
    before, checked, broken = _python_requests(ours), 0, 0
    with _renaming(server) as renamed:
        started = time.monotonic()
        while checked < polls:
            load = wrk.run(ours.url, [POLL], seconds, whole=True)
            checked, broken = checked + load.answers, broken + load.broken
        per_s = len(renamed) / (time.monotonic() - started)
    asked = _python_requests(ours) - before - 1 - len(renamed)  # its own, and the pushes
    table.add("Tidegauge", polls=checked, broken=broken, renamed=per_s, **{"requests to Python": asked})
    return table


@contextmanager
def _renaming(server: Served) -> Iterator[list[int]]:
    """Push a sample whenever the one before is in the feed; yields a list of the files that it was renamed to."""
    tail, ended = server.run / "feeds/server/tail.json", Event()
    renamed: list[int] = []

    def push() -> None:
        while not ended.is_set():
            was = tail.stat().st_ino
            server.push({"name": "process.memory", "value": 1.5})
            while tail.stat().st_ino == was and not ended.wait(0.01):
                pass
            renamed.append(tail.stat().st_ino)

    thread = Thread(target=push)
    thread.start()
    yield renamed
    ended.set()
    thread.join()


def _python_requests(server: Contender) -> int:
    text = server.ask("/metrics").decode()
    return int(
        float(next(line.split()[1] for line in text.splitlines() if line.startswith("tidegauge_python_requests_total")))
    )
