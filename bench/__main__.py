"""The measured comparisons: interleaved rounds in one run; what counts is the ratio of the medians.

``python -m bench`` runs all, ``python -m bench update growth`` those two, and keeps what was measured of the others.
Prints a table of each, and writes bench/results.json and what the README shows of it. With QUICK=1 a round of a second
of each, which shows that everything works; nothing is written then.
"""

import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import served
from served import Served

from bench import browser, cluster, growth, journal, opening, process, push, readme, report, scale, update, viewers
from bench.report import Table

QUICK = bool(os.environ.get("QUICK"))
ROUNDS = 1 if QUICK else 5
SECONDS = 1 if QUICK else 2
ABSURD = 0.5
DASHBOARDS = str(Path(__file__).parent / "dashboards/many")


@contextmanager
def serving(**settings: str) -> Iterator[Served]:
    """Serve Tidegauge as it comes, with *settings*."""
    server = served.start(**settings)
    try:
        yield server
    finally:
        served.stop(server)


Measured = Iterator[tuple[str, Table]]


def _reading() -> Measured:
    with serving() as server:
        yield "update", update.measure(server, ROUNDS, SECONDS)
        yield "opening", opening.measure(server, ROUNDS, 1 if QUICK else 4)
        yield "viewers", viewers.most(server, *((1, 1, [50]) if QUICK else (3, 4)))
        yield "memory", viewers.memory(server, *((20, 2) if QUICK else (1000, 6)))


def _whole() -> Measured:
    with serving(TIDEGAUGE_PUBLISH_MS="250") as server:
        yield "whole", update.whole(server, *((10_000, 2) if QUICK else (1_000_000, 20)))


def _writing() -> Measured:
    with serving() as server:
        yield "batches", push.batches(server, ROUNDS, 8 if QUICK else 40)
        yield "singles", push.singles(server, ROUNDS, SECONDS)


def _latency() -> Measured:
    with serving(TIDEGAUGE_DASHBOARDS=DASHBOARDS) as server:
        yield "latency", push.latency(server, 10 if QUICK else 100)


def _process() -> Measured:
    with serving() as server:
        yield "rest", process.rest(server, ROUNDS)
        yield "windows", push.memory(server, 4 if QUICK else 200)
    yield "publishing", process.publishing(*((5, 20) if QUICK else (60, 1000)))


def _growth() -> Measured:
    cases = growth.CASES[:4:3] if QUICK else growth.CASES
    yield from growth.measure(ROUNDS, SECONDS, cases).items()


def _journal() -> Measured:
    yield "journal", journal.measure(1, 20_000) if QUICK else journal.measure(3)


def _cluster() -> Measured:
    yield "cluster", cluster.rates(serving, *((1, 8, 1) if QUICK else (ROUNDS, 40, SECONDS)))
    yield "history", cluster.history(serving, *((1, 8) if QUICK else (3, 200)))
    yield "reach", cluster.reach(serving, 5 if QUICK else 100, DASHBOARDS)


def _scale() -> Measured:
    yield "costs", scale.costs(serving, 2 if QUICK else 20)
    yield "loads", scale.loads(serving, 1 if QUICK else 10)


def _browser() -> Measured:
    with browser.starts() as contenders:
        yield "browser", browser.cost(contenders, 5 if QUICK else 100)
        for table in browser.heap(contenders, 10 if QUICK else 5000):
            yield "heap", table


MEASURES: dict[str, Callable[[], Measured]] = {
    "reading": _reading,
    "whole": _whole,
    "writing": _writing,
    "latency": _latency,
    "process": _process,
    "growth": _growth,
    "journal": _journal,
    "cluster": _cluster,
    "scale": _scale,
    "browser": _browser,
}

BESIDE_OTHERS = ("reading", "whole", "writing", "browser")  # what a quick run does


def main() -> None:
    """Run what is asked for; each table is kept as soon as it is there."""
    for measured in sys.argv[1:] or (BESIDE_OTHERS if QUICK else MEASURES):
        for name, table in MEASURES[measured]():
            print(table.printed(), flush=True)
            if name == "update" and (table.ratio("Tidegauge") or 0) < ABSURD:
                sys.exit("A poll is slower than half of a static file: something else was measured than meant.")
            if not QUICK:
                report.save({name: table})
    if not QUICK:
        readme.write()
        scale.write()


if __name__ == "__main__":
    main()
