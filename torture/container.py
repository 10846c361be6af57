"""The container is stopped, and killed, under load; and started again."""

import json
import subprocess
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from random import Random
from tempfile import TemporaryDirectory
from time import monotonic, sleep
from uuid import uuid4

from container_engine import Compose, copy_clone, docker, run
from served import TOKENS, Answer, Served, free_ports

from torture.harness import Found, Scenario, wait_until
from torture.load import AUTH, Load, load, read

STOPPED_S = 10.0
SETTINGS = {"TIDEGAUGE_PUSH_TOKEN": TOKENS, "TIDEGAUGE_WINDOW": "100"}
HELD = 4  # requests that are in flight when the stop comes, of each kind
KNOCK = "exec 3<>/dev/tcp/127.0.0.1/8080"


def run_rounds(rounds: int, random: Random) -> Found:
    """Stop and kill in turn, start again each time, and read everything back each time."""
    found = Found()
    with composed() as compose:
        server = Served(compose.port, {})
        for number in range(rounds):
            found.longest("longest until healthy, s", compose.up(SETTINGS))
            with load(server, prefix=f"torture{number}") as running:
                sleep(random.uniform(0.5, 3))
                (_kill if number % 2 else _stop)(compose, server, found)
            compose.up(SETTINGS)
            _judge(running, found)
        kept, due = len(read(server, "held")), HELD * (rounds - rounds // 2)
        found.expect(kept == due, f"{kept} of {due} samples are kept that were in flight at a stop")
    return found


@contextmanager
def composed() -> Iterator[Compose]:
    """A compose project in a copy of the clone, built: what other projects have built of the same files is taken."""
    with TemporaryDirectory() as folder:
        compose = Compose(copy_clone(Path(folder)), f"tidegauge-test-{uuid4().hex[:8]}", free_ports())
        try:
            compose("build")
            yield compose
        finally:
            compose.try_("down", "--volumes", "--timeout", "5")
            run("docker", "image", "rm", compose.image)


def _stop(compose: Compose, server: Served, found: Found) -> None:
    """Stop it with requests in its hands: the Python process is frozen until Apache has closed its door."""
    with ThreadPoolExecutor(2 * HELD) as pool:
        compose.inside("kill -STOP $(head -1 /run/tidegauge/daemon.pid)")
        held = [pool.submit(server.ask, f"/explore/?held={n}") for n in range(HELD)]
        held += [pool.submit(_push, server, n) for n in range(HELD)]
        wait_until(lambda: compose.busy_workers() > len(held), 20)
        started = monotonic()
        stop = subprocess.Popen(compose.command("stop"), cwd=compose.folder, env=compose.environment(SETTINGS))
        wait_until(lambda: compose.inside(KNOCK).status != 0, STOPPED_S)
        found.expect(not any(one.done() for one in held), "requests were answered while the Python process was frozen")
        compose.inside("kill -CONT $(head -1 /run/tidegauge/daemon.pid)")
        found.expect(stop.wait(60) == 0, "docker compose stop failed")
        took = monotonic() - started
        found.count("stops")
        found.longest("longest stop, s", took)
        found.expect_in_time(took <= STOPPED_S, f"the stop took {took:.1f} s, {STOPPED_S:g} allowed")
        found.expect(all(map(_is_whole, held)), f"in flight at the stop: {[_outcome(one) for one in held]}")
        found.count("requests in flight at stops, answered", sum(map(_is_whole, held)))
    status = compose.container["State"]["ExitCode"]
    found.expect(status == 0, f"the stopped container's exit status is {status}")


def _push(server: Served, n: int) -> Answer:
    return server.ask("/api/series", "POST", json.dumps({"name": "held", "value": n}).encode(), **AUTH)


def _is_whole(asked: Future[Answer]) -> bool:
    return asked.exception() is None and asked.result().status == 200


def _outcome(asked: Future[Answer]) -> str:
    return repr(asked.exception() or asked.result().status)


def _kill(compose: Compose, _server: Served, found: Found) -> None:
    docker("kill", compose.container["Id"])
    found.count("kills")


def _judge(running: Load, found: Found) -> None:
    found.broken += running.wrong()
    found.count("acknowledged", sum(map(len, running.acknowledged)))
    found.count("polls", running.polls.good)


SCENARIO = Scenario(
    5,
    "container",
    "docker compose stop, with requests in flight, and docker kill, in turn, at 200 requests a second",
    "a stop ends in 10 s with exit status 0, what is in flight is answered; nothing acknowledged is lost or doubled",
    run_rounds,
    short=2,
    long=20,
    tools=("docker",),
)
