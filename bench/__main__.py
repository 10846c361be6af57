"""The measured comparisons: interleaved rounds in one run; what counts is the ratio of the medians.

``python -m bench`` runs all, ``python -m bench update growth`` those two, and keeps what was measured of the others.
Prints a table of each and writes bench/results.json. QUICK=1 takes a round of a second of each.
"""

import os
import sys
from contextlib import contextmanager
from collections.abc import Iterator
from pathlib import Path

import served
from served import Served

from bench import browser, opening, report, update, viewers
from bench.report import Table

QUICK = bool(os.environ.get("QUICK"))
ROUNDS = 1 if QUICK else 5
SECONDS = 1 if QUICK else 3


@contextmanager
def server(**settings: str) -> Iterator[Served]:
    """Serve Tidegauge as it comes, with *settings*."""
    one = served.start(**settings)
    try:
        yield one
    finally:
        served.stop(one)


def measure_update() -> Table:
    with server() as one:
        return update.measure(one, ROUNDS, SECONDS)


def measure_opening() -> Table:
    with server() as one:
        return opening.measure(one, ROUNDS, SECONDS)


def measure_whole() -> Table:
    with server(TIDEGAUGE_PUBLISH_MS="250") as one:
        return update.whole(one, 10_000 if QUICK else 1_000_000)


def measure_memory() -> Table:
    with server() as one:
        return viewers.memory(one, 50 if QUICK else 1000)


def measure_viewers() -> Table:
    with server() as one:
        return viewers.most(one, 1 if QUICK else 3, 2 if QUICK else 10)


def measure_browser() -> Table:
    """Measure the pages of those that show a dashboard."""
    return browser.measure(10 if QUICK else 100, 20 if QUICK else 5000)


MEASURES = {
    "update": measure_update,
    "opening": measure_opening,
    "whole": measure_whole,
    "memory": measure_memory,
    "viewers": measure_viewers,
    "browser": measure_browser,
}


def main() -> None:
    tables = report.load()
    for name in sys.argv[1:] or MEASURES:
        tables[name] = MEASURES[name]()
        print(tables[name].printed(), flush=True)
        report.save(tables, {})


if __name__ == "__main__":
    main()
