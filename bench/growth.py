"""What a poll, a page and a push cost while other dashboards and series become many."""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

import served
from served import TOKEN, Served

from bench import servers, wrk
from bench.report import Table
from bench.wrk import Request

CASES = [(1, 1), (10, 1), (100, 1), (1_000, 10), (10_000, 100), (10, 10), (100, 100)]  # series, dashboards; besides
AUTH = {"Authorization": f"Bearer {TOKEN}"}
REQUESTS = {
    "poll": Request("/feeds/own/tail.json"),
    "page": Request("/dashboard/own/"),
    "push": Request("/api/series", "POST", AUTH, b'{"name": "own", "value": 1.5}'),
}
FILE = """
from bokeh.plotting import figure

from tidegauge import dashboard, live


@dashboard(title="{name}")
def {name}():
    plot = figure(x_axis_type="datetime")
    plot.line("t", "v", source=live("{series}"))
    return plot
"""


@contextmanager
def _serving(series: int, dashboards: int) -> Iterator[Served]:
    """Serve a dashboard `own`, and so many others, which draw so many series between them."""
    each = -(-series // dashboards)
    with TemporaryDirectory() as name:
        folder = Path(name)
        folder.chmod(0o755)
        (folder / "own.py").write_text(FILE.format(name="own", series="own"))
        for number in range(dashboards):
            drawn = f"other.v{{d={number},n=*}}"
            (folder / f"other{number}.py").write_text(FILE.format(name=f"other{number}", series=drawn))
        server = served.start(TIDEGAUGE_DASHBOARDS=name, TIDEGAUGE_MAX_SERIES="20000")
    try:
        lines = [f"other,d={n // each},n={n % each} v=1" for n in range(series)]
        for start in range(0, series, 1000):
            for _ in range(3):
                body = "\n".join(lines[start : start + 1000]).encode()
                assert server.ask("/api/v2/write", "POST", body, **AUTH).status == 204  # noqa: S101
        server.push({"name": "own", "value": 1})
        yield server
    finally:
        served.stop(server)


def measure(rounds: int, seconds: float, cases: list[tuple[int, int]]) -> dict[str, Table]:
    """Return a table for each of poll, page and push.

    Args:
        cases: how many series and dashboards there are besides.
    """
    first = _called(*cases[0])
    tables = {
        f"growth of a {kind}": Table(f"What a {kind} costs", {"processor": "us", "answers": "/s"}, first, "processor")
        for kind in REQUESTS
    }
    with ExitStack() as stack:
        running = {_called(*case): stack.enter_context(_serving(*case)) for case in cases}
        for _ in range(rounds):
            for name, server in running.items():
                one = servers.tidegauge(server)
                for kind, request in REQUESTS.items():
                    before = one.cpu_s()
                    load = wrk.run(one.url, [request], seconds, connections=16)
                    cost = (one.cpu_s() - before) / load.requests * 1e6
                    tables[f"growth of a {kind}"].add(name, processor=cost, answers=load.per_s)
    return tables


def _called(series: int, dashboards: int) -> str:
    return f"{series:,} series on {dashboards:,} other dashboards"
