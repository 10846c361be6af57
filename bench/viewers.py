"""What a viewer costs who has a dashboard open, and how many are served well."""

import asyncio
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import psutil
from served import Served

from bench import servers, wrk
from bench.contender import Contender
from bench.open_loop import Polled, Viewers
from bench.report import Table
from bench.update import DASH, TUTORIAL, Measured, check, dash, open_sessions, polled, tutorial

LADDER = [50 * 2**n for n in range(9)]  # 50 to 12,800
P99_MS = 100.0


@contextmanager
def contenders(server: Served) -> Iterator[dict[str, Measured]]:
    """Start those whose pages poll."""
    with servers.tutorial() as gunicorn, servers.dash() as other:
        found = {"Tidegauge": polled(server), TUTORIAL: tutorial(gunicorn), DASH: dash(other)}
        check(found)
        yield found


def memory(server: Served, viewers: int, seconds: float) -> Table:
    """Return what each of so many viewers, who poll for so long, adds to the memory of the server's processes."""
    columns = {"Python": "kB", "all processes": "kB"}
    table = Table(f"Memory that a viewer adds, of {viewers:,}", columns, "Tidegauge", "all processes")
    with contenders(server) as found:
        for name, one in found.items():
            wrk.run(one.server.url, [one.request], 2)  # what the first requests need stays
            python = server.daemon_pid if name == "Tidegauge" else None
            before = _memory_kb(one.server, python)
            polling = Viewers(one.server.url, one.request, viewers)
            polling.poll(seconds)
            _add(table, name, before, _memory_kb(one.server, python), viewers)
            polling.close()
    with servers.bokeh_server() as bokeh:
        asyncio.run(_bokeh_memory(table, bokeh, viewers))
    return table


def _memory_kb(server: Contender, python: int | None) -> tuple[float, float]:
    everything = server.memory_kb()
    return psutil.Process(python).memory_full_info().pss / 1024 if python else everything, everything


def _add(table: Table, name: str, before: tuple[float, float], after: tuple[float, float], viewers: int) -> None:
    python, everything = ((then - now) / viewers for now, then in zip(before, after, strict=True))
    table.add(name, **{"Python": python, "all processes": everything})


async def _bokeh_memory(table: Table, server: Contender, viewers: int) -> None:
    for one in await open_sessions(server, 1):  # what the first needs stays
        one.close()
    before = _memory_kb(server, None)
    opened = await open_sessions(server, viewers)
    _add(table, "Bokeh Server", before, _memory_kb(server, None), viewers)
    for one in opened:
        one.close()


def most(server: Served, rounds: int, seconds: float, ladder: Sequence[int] = LADDER) -> Table:
    """Return how many viewers are served well: the most at which p99 is below 100 ms and nothing fails."""
    columns = {"viewers": "", "p50": "ms", "p99": "ms"}
    table = Table("Viewers who poll every 2 s, p99 below 100 ms, nothing failed", columns, TUTORIAL, "viewers")
    with contenders(server) as found:
        for _ in range(rounds):
            for name, one in found.items():
                count, polled = _most(one, seconds, ladder)
                table.add(name, viewers=count, p50=polled.p50_ms, p99=polled.p99_ms)
    return table


def _most(one: Measured, seconds: float, ladder: Sequence[int]) -> tuple[int, Polled]:
    best = (0, Polled(0, 0, 0.0, 0.0))
    for count in ladder:
        polling = Viewers(one.server.url, one.request, count)
        found = polling.poll(seconds)
        polling.close()
        if found.failed or found.p99_ms >= P99_MS:
            break
        best = (count, found)
        time.sleep(0.5)  # for the server to end the connections
    return best
