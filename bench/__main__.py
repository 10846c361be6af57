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

from bench import browser, growth, journal, opening, process, push, readme, report, update, viewers
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


def _reading() -> dict[str, Table]:
    with serving() as server:
        return {
            "update": update.measure(server, ROUNDS, SECONDS),
            "opening": opening.measure(server, ROUNDS, SECONDS),
            "viewers": viewers.most(server, *((1, 2, [50, 400]) if QUICK else (3, 4))),
            "memory": viewers.memory(server, 50 if QUICK else 1000),
        }


def _whole() -> dict[str, Table]:
    with serving(TIDEGAUGE_PUBLISH_MS="250") as server:
        return {"whole": update.whole(server, *((10_000, 2) if QUICK else (1_000_000, 20)))}


def _writing() -> dict[str, Table]:
    with serving() as server:
        return {
            "batches": push.batches(server, ROUNDS, 8 if QUICK else 40),
            "singles": push.singles(server, ROUNDS, SECONDS),
        }


def _latency() -> dict[str, Table]:
    with serving(TIDEGAUGE_DASHBOARDS=DASHBOARDS) as server:
        return {"latency": push.latency(server, 10 if QUICK else 100)}


def _process() -> dict[str, Table]:
    with serving() as server:
        found = {"rest": process.rest(server, ROUNDS), "windows": push.memory(server, 4 if QUICK else 200)}
    return found | {"publishing": process.publishing(*((5, 20) if QUICK else (60, 1000)))}


def _growth() -> dict[str, Table]:
    return growth.measure(ROUNDS, 1 if QUICK else 2, growth.CASES[:4:3] if QUICK else growth.CASES)


def _browser() -> dict[str, Table]:
    return {"browser": browser.measure(*((10, 20) if QUICK else (100, 5000)), fastest=not QUICK)}


def _journal() -> dict[str, Table]:
    return {"journal": journal.measure(1, 20_000) if QUICK else journal.measure(3)}


MEASURES: dict[str, Callable[[], dict[str, Table]]] = {
    "reading": _reading,
    "whole": _whole,
    "writing": _writing,
    "latency": _latency,
    "process": _process,
    "growth": _growth,
    "journal": _journal,
    "browser": _browser,
}


def main() -> None:
    """Run what is asked for."""
    for name in sys.argv[1:] or MEASURES:
        tables = MEASURES[name]()
        for table in tables.values():
            print(table.printed(), flush=True)
        if "update" in tables and (tables["update"].ratio("Tidegauge") or 0) < ABSURD:
            sys.exit("A poll is slower than half of a static file: something else was measured than meant.")
        if not QUICK:
            report.save(tables)
    if not QUICK:
        readme.write()


if __name__ == "__main__":
    main()
