"""New code is taken, and Apache is restarted, while pushes and polls go on."""

import os
import signal
import time
from collections.abc import Collection
from random import Random

from served import Served

from torture.harness import Found, Scenario, wait_until
from torture.load import Load, load, serving

# For some milliseconds a request that Apache's old processes have finds no socket of Python, or one that it has left.
AGAIN = {"502", "503"}


def reload(rounds: int, random: Random) -> Found:
    """SIGUSR1 to the Python process, as ``make reload`` sends it."""
    found = Found()
    with serving() as server:
        with load(server) as running:
            for _ in range(rounds):
                time.sleep(random.uniform(0.2, 1.5))
                pid = server.daemon_pid
                os.kill(pid, signal.SIGUSR1)
                _wait_for_another(server, pid, running, found, "reloads")
        _judge(running, found)
    return found


def apache(rounds: int, random: Random) -> Found:
    """SIGUSR1 and SIGHUP to Apache: ``apachectl graceful`` and ``apachectl restart``, in turn."""
    found = Found()
    with serving() as server:
        apache = int((server.run / "apache.pid").read_text())
        with load(server) as running:
            for number in range(rounds):
                time.sleep(random.uniform(0.2, 1.5))
                pid, graceful = server.daemon_pid, number % 2 == 0
                os.kill(apache, signal.SIGUSR1 if graceful else signal.SIGHUP)
                _wait_for_another(server, pid, running, found, "graceful restarts" if graceful else "restarts")
        _judge(running, found, again=AGAIN)
    return found


def _wait_for_another(server: Served, pid: int, running: Load, found: Found, what: str) -> None:
    took = wait_until(lambda: server.daemon_pid not in {0, pid}, 30)
    found.expect(took < float("inf"), "no other process came within 30 s")
    before = running.pushes.good
    wait_until(lambda: running.pushes.good > before + 8, 30)
    found.count(what)


def _judge(running: Load, found: Found, again: Collection[str] = ()) -> None:
    for what, answers in (("pushes", running.pushes), ("polls", running.polls)):
        later = {status: count for status, count in answers.failed.items() if status in again}
        found.count(f"{what} answered", answers.good)
        found.count(f"{what} failed", sum(answers.failed.values()))
        found.longest(f"longest wait of {what}, s", answers.slowest_s)
        found.expect(answers.failed.keys() == later.keys(), f"{what} failed: {dict(answers.failed)}")
        found.expect_in_time(not later, f"{what} that an agent has to send again: {later}")
    found.broken += running.wrong()


RELOAD = Scenario(
    3,
    "reload",
    "make reload (SIGUSR1 to the Python process) at 200 requests a second",
    "no request fails",
    reload,
    short=2,
    long=50,
)
APACHE = Scenario(
    4,
    "restart",
    "apachectl graceful and apachectl restart, in turn, at 200 requests a second",
    "no request fails whose client sends it once more on a connection that was closed",
    apache,
    short=4,
    long=100,
)
