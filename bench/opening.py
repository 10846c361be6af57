"""What it costs to open a dashboard: all answers that a view needs but scripts, which a browser keeps."""

from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace

from served import Served

from bench import servers, wrk
from bench.contender import Contender
from bench.report import Table
from bench.wrk import Request

OURS = "Tidegauge"
PAGE = "Tidegauge, the page alone"
TUTORIAL = "tutorial, gunicorn"
CONNECTIONS = 16


@dataclass(frozen=True)
class Opened:
    """A contender, what a browser asks it for, and what must stand in each answer."""

    server: Contender
    requests: Sequence[Request]
    has: Sequence[bytes]


def measure(server: Served, rounds: int, seconds: float) -> Table:
    """Return dashboards opened a second: the tutorial's own, in each system."""
    columns = {"opened": "/s", "p99": "ms", "processor": "us", "bytes": "kB"}
    table = Table(f"Opening a dashboard, {CONNECTIONS} connections", columns, TUTORIAL, "opened")
    with ExitStack() as stack:
        start = stack.enter_context
        ours = servers.tidegauge(server)
        browser = {"Accept-Encoding": "gzip, deflate, br", "Accept": "text/html,*/*"}
        page = Request("/dashboard/")
        document = Request("/feeds/exponential/document.light.json")
        found = {
            OURS: Opened(ours, [page, document], [b"Exponential", b'"doc"']),
            PAGE: Opened(ours, [page], [b"Exponential"]),
            TUTORIAL: Opened(start(servers.tutorial()), [Request("/dashboard/")], [b"AjaxDataSource"]),
            "Dash, gunicorn": Opened(
                start(servers.dash()),
                [Request("/"), Request("/_dash-layout"), Request("/_dash-dependencies")],
                [b"_dash-renderer", b"Dash sample", b"graph-0.extendData"],
            ),
            # Its figures come by the websocket that the page opens then.
            "Bokeh Server, without its websocket": Opened(
                start(servers.bokeh_server()), [Request("/bokeh_app")], [b"token"]
            ),
        }
        for name, one in found.items():
            for request, part in zip(one.requests, one.has, strict=True):
                if part not in (answer := one.server.ask(request.path)):
                    raise RuntimeError(f"{name} answers {request.path} wrongly: {answer[:300]!r}")
        for _ in range(rounds):
            for name, one in found.items():
                sent = [replace(request, headers=browser) for request in one.requests]
                before = one.server.cpu_s()
                load = wrk.run(one.server.url, sent, seconds, connections=CONNECTIONS)
                spent = one.server.cpu_s() - before
                opened = load.requests / len(sent)
                if not opened:  # Bokeh Server, while it puts its last sessions away
                    continue
                table.add(
                    name,
                    opened=opened / load.seconds,
                    p99=load.p99_ms,
                    processor=spent / opened * 1e6,
                    bytes=load.bytes / opened / 1000,
                )
    return table
