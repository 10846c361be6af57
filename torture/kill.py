"""The daemon process is killed: at random moments, and where a push is being written."""

import os
import signal
import subprocess
import time
from pathlib import Path
from random import Random

from served import Served

from torture.harness import Found, Scenario, wait_until
from torture.load import Load, fill, load, serving

MILLION = 1_000_000
BACK_S = 3.0
# Where a push is written: the system calls of the file that is named, of which the nth is never made.
POINTS = {
    "before the log is written": ("-wal", "pwrite64", 1),
    "within the log's pages": ("-wal", "pwrite64", 2),
    "before the log is synced": ("-wal", "fdatasync", 1),
    "before the mark is noted": ("-mark", "pwrite64", 1),
    "before the tail is renamed": ("staging/server.tail.json", "rename", 1),  # strace goes by the first path
}


def run(rounds: int, random: Random) -> Found:
    """Kill, wait until pushes are taken again, and so on; then read everything back."""
    found = Found()
    with serving() as server:
        fill(server, MILLION if rounds > len(POINTS) else MILLION // 10)
        with load(server) as running:
            for number in range(rounds):
                time.sleep(random.uniform(0.2, 1.5))
                places = list(POINTS)
                place = places[number // 2 % len(places)] if number % 2 else ""
                _kill(server, place)
                _back(running, found)
        _judge(running, rounds, found)
    return found


def _kill(server: Served, place: str) -> None:
    pid = server.daemon_pid
    if not place:
        os.kill(pid, signal.SIGKILL)
    else:
        file, call, nth = POINTS[place]
        path = str(server.run / file) if "/" in file else f"{server.journal}{file}"
        inject = f"inject={call}:signal=KILL:when={nth}"
        subprocess.run(
            ["strace", "-f", "-qq", "-o", "/dev/null", "-p", str(pid), "-P", path, "-e", f"trace={call}", "-e", inject],
            timeout=20,
        )
    assert wait_until(lambda: not Path(f"/proc/{pid}").exists(), 10) < 10, place


def _back(running: Load, found: Found) -> None:
    before, started = running.pushes.good, time.monotonic()
    wait_until(lambda: running.pushes.good > before + 4, 30)
    took = time.monotonic() - started
    found.count("kills")
    found.longest("longest until pushes are acknowledged again, s", took)


def _judge(running: Load, rounds: int, found: Found) -> None:
    found.broken += running.wrong()
    found.count("acknowledged", sum(map(len, running.acknowledged)))
    found.count("pushes failed, of those in flight", sum(running.pushes.failed.values()))
    found.count("polls", running.polls.good)
    found.count("polls failed", sum(running.polls.failed.values()))
    found.expect(not running.polls.failed, f"polls failed: {dict(running.polls.failed)}")
    agents = len(running.series)
    failed = sum(running.pushes.failed.values())
    found.expect(failed <= rounds * agents, f"{failed} pushes failed, of {rounds} times {agents} in flight")
    longest = found.counted["longest until pushes are acknowledged again, s"]
    found.expect_in_time(
        longest <= BACK_S, f"it took {longest:.1f} s until pushes were acknowledged again, {BACK_S:g} allowed"
    )


SCENARIO = Scenario(
    1,
    "kill",
    "kill -9 of the Python process at 200 requests a second: at random moments, and where a push is written",
    "nothing acknowledged is lost or doubled; no poll fails, of pushes those in flight; back in 3 s, a million samples",
    run,
    short=2 * len(POINTS),
    long=100,
    tools=("strace",),
)
