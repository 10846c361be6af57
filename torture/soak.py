"""Two hours of everything at once; what grows is noticed."""

import time
from concurrent.futures import ThreadPoolExecutor
from random import Random

import numpy as np
import psutil
from served import Served

from torture.harness import Found, Scenario
from torture.load import fill, load, serving

FILLED = 500_000  # samples: more than SQLite's page cache of 8 MiB has room for, which else fills for 20 minutes
WARM_UP = 6  # of the rounds, which are minutes: windows fill, caches and the heap reach their size
ASKERS = 4  # in the warm-up, without a pause: as much as an hour asks for later
SLOPE_MB_H = 1.0
NOTED_MIN = 20  # between two figures of memory


def run(rounds: int, random: Random) -> Found:
    """Push, poll, read back and draw for so many minutes, with a look at the process in each."""
    found, seen = Found(), []
    with serving(TIDEGAUGE_WINDOW="200") as server:
        fill(server, FILLED)
        with load(server, pushes_per_s=100, polls_per_s=200) as running:
            warm_up = min(WARM_UP, rounds // 2)
            with ThreadPoolExecutor(ASKERS) as askers:
                seeds = [random.random() for _ in range(ASKERS)]
                list(askers.map(lambda seed: _ask(server, Random(seed), minutes=warm_up, pause_s=0), seeds))
            for _ in range(warm_up, rounds):
                _ask(server, random, minutes=1, pause_s=0.5)
                process = psutil.Process(server.daemon_pid)
                seen.append((process.memory_info().rss / 1e6, process.num_fds(), process.num_threads()))
    for what, answers in (("pushes", running.pushes), ("polls", running.polls)):
        found.count(what, answers.good)
        found.count(f"{what} failed", sum(answers.failed.values()))
        found.expect(not answers.failed, f"{what} failed: {dict(answers.failed)}")
    _judge(np.array(seen), found)
    return found


def _ask(server: Served, random: Random, *, minutes: float, pause_s: float) -> None:
    deadline = time.monotonic() + 60 * minutes
    while time.monotonic() < deadline:
        _ask_for_something(server, random)
        time.sleep(random.uniform(0, pause_s))


def _ask_for_something(server: Served, random: Random) -> None:
    path = random.choice(
        [
            "/",
            "/dashboard/server/",
            "/explore/?series=torture.0",
            "/explore/document.json?series=torture.1",
            "/api/series",
            "/api/series?name=torture.2&limit=100",
            "/api/feed?series=torture.*&span_s=3600&columns=300",
            "/spark/torture.3.svg",
            "/metrics",
            "/health",
            "/nothing",
        ]
    )
    status = server.ask(path).status
    assert status == (404 if path == "/nothing" else 200), f"{path}: {status}"


def _judge(seen: np.ndarray[tuple[int, int], np.dtype[np.float64]], found: Found) -> None:
    memory, files, threads = seen.T
    slope = float(np.polyfit(np.arange(len(memory)) / 60, memory, 1)[0]) if len(memory) > 1 else 0.0
    for minute in range(0, len(memory), NOTED_MIN):
        found.counted[f"memory in minute {minute}, MB"] = float(memory[minute])
    found.counted |= {"memory at the end, MB": float(memory[-1]), "memory slope, MB/h": slope}
    found.counted |= {"file descriptors, most": float(files.max()), "threads, most": float(threads.max())}
    found.expect(slope < SLOPE_MB_H, f"memory grows by {slope:.2f} MB/h, {SLOPE_MB_H:g} allowed")
    found.expect(files[-1] <= files[0] + 2, f"file descriptors grow from {files[0]:g} to {files[-1]:g}")


SCENARIO = Scenario(
    17,
    "soak",
    "two hours of 100 pushes and 200 polls a second, with pages, Explore, history and images asked for beside them",
    "no request fails; memory grows by less than 1 MB/h; file descriptors do not grow",
    run,
    short=0,
    long=120,
)
