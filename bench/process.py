"""What the daemon process costs by itself: at rest, at its start, and for publishing."""

import os
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

import psutil
import served
from served import TOKEN, Served

from bench import growth, servers
from bench.report import Table

BUDGET = "budget"
DASHBOARDS, SERIES = 20, 50  # of each


def rest(server: Served, rounds: int) -> Table:
    """Return what the process has when it has done nothing yet, and how long it takes to be ready."""
    table = Table("The daemon process at its start", {"resident": "MB", "to ready": "s"}, BUDGET, "to ready")
    table.add(BUDGET, **{"resident": 120.0, "to ready": 2.0})
    for _ in range(rounds):
        old = server.daemon_pid
        os.kill(old, signal.SIGUSR1)
        while server.daemon_pid in {0, old} or not server.is_ready():
            time.sleep(0.01)
        took = time.time() - psutil.Process(server.daemon_pid).create_time()
        time.sleep(3)
        resident = psutil.Process(server.daemon_pid).memory_info().rss / 1e6
        table.add("Tidegauge", **{"resident": resident, "to ready": took})
    return table


@contextmanager
def _many() -> Iterator[Served]:
    with TemporaryDirectory() as name:
        folder = Path(name)
        folder.chmod(0o755)
        for number in range(DASHBOARDS):
            text = growth.FILE.format(name=f"load{number}", series=f"load.v{{d={number},n=*}}")
            (folder / f"load{number}.py").write_text(text)
        server = served.start(TIDEGAUGE_DASHBOARDS=name)
    try:
        yield server
    finally:
        served.stop(server)


def publishing(seconds: int, window: int) -> Table:
    """Return what the publishing thread costs while every series gets a sample a second.

    Args:
        window: samples that each series has before.
    """
    title = f"Publishing {DASHBOARDS * SERIES:,} series on {DASHBOARDS} dashboards, a sample a second"
    table = Table(title, {"of a core": "%"}, BUDGET, "of a core")
    table.add(BUDGET, **{"of a core": 4.0})
    names = [f"load,d={d},n={n}" for d in range(DASHBOARDS) for n in range(SERIES)]
    with _many() as server:
        start = time.time_ns() // 1_000_000 - window * 1000
        for at in range(0, window, 10):
            _push(server, [f"{name} v={n % 17}.5 {start + (at + n) * 1000}" for n in range(10) for name in names])
        time.sleep(12)  # until the windows are written
        ours = servers.tidegauge(server)
        before, begun = _publisher_s(server), time.monotonic()
        for second in range(seconds):
            _push(server, [f"{name} v={second}.25" for name in names])
            time.sleep(max(0.0, begun + second + 1 - time.monotonic()))
        spent = _publisher_s(server) - before
        table.add("Tidegauge", **{"of a core": spent / (time.monotonic() - begun) * 100})
        assert ours.ask("/feeds/load0/tail.json")  # noqa: S101
    return table


def _push(server: Served, lines: list[str]) -> None:
    path, headers = "/api/v2/write?precision=ms", {"Authorization": f"Bearer {TOKEN}"}
    answer = server.ask(path, "POST", "\n".join(lines).encode(), **headers)
    if answer.status != 204:
        raise RuntimeError(f"a push gave {answer.status}: {answer.body[:300]!r}")


def _publisher_s(server: Served) -> float:
    lines = server.ask("/metrics").body.decode().splitlines()
    return float(next(line.split()[1] for line in lines if line.startswith("tidegauge_publisher_cpu_seconds_total")))
