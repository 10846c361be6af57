"""More pushes than there is time for, and every viewer at once."""

import asyncio
import os
import signal
import time
from concurrent.futures import ThreadPoolExecutor
from random import Random
from statistics import median

from served import Served

from bench import wrk
from bench.open_loop import OpenLoop
from torture import viewers
from torture.harness import Found, Scenario, wait_until
from torture.load import AUTH, Client, load, serving

URL, BODY = "/api/series", b'{"name": "overload", "value": 1.5}'
PUSH = wrk.Request(URL, "POST", AUTH, BODY)
PATIENCE_S = 10.0  # after which a client gives up
TIMES = 3  # as much as it can take
CONNECTIONS = 16  # by which that is measured
GOODPUT = 0.9  # of what it can take
NORMAL_S, NORMAL_TIMES, NORMAL_MS = 5.0, 2.0, 20.0
VIEWERS = 1_000


def run(rounds: int, random: Random) -> Found:  # noqa: ARG001 - nothing here is left to chance
    """Offer three times of what is taken for so many seconds; then restart Apache, and let everybody return."""
    found = Found()
    with serving() as server:
        client = Client(server)
        usual_ms = _push_ms(client)
        before = _capacity(server, rounds)
        with load(server, pushes_per_s=1, polls_per_s=50) as running:
            offer = OpenLoop(server.url, PUSH, TIMES * before, patience_s=PATIENCE_S)
            started = time.monotonic()
            offer.run(rounds)
            took = time.monotonic() - started
            offer.close()
        normal = wait_until(lambda: _push_ms(client) < max(NORMAL_TIMES * usual_ms, NORMAL_MS), 30)
        capacity = (before + _capacity(server, rounds)) / 2
        found.counted |= {"capacity, pushes/s": capacity, "offered, pushes/s": offer.sent / rounds}
        _judge(offer, took, capacity, found)
        found.counted["until latency was normal again, s"] = normal
        found.expect_in_time(
            normal < NORMAL_S, f"after {normal:.1f} s latency was not what it had been ({usual_ms:.1f} ms)"
        )
        found.counted["p99 of polls meanwhile, ms"] = running.polls.p99_s() * 1000
        found.expect(not running.polls.failed, f"polls failed: {dict(running.polls.failed)}")
        _return(server, found)
    return found


def _capacity(server: Served, rounds: int) -> float:
    return wrk.run(server.url, [PUSH], max(2, rounds // 6), connections=CONNECTIONS).per_s


def _push_ms(client: Client) -> float:
    waits = []
    for _ in range(20):
        started = time.monotonic()
        client.ask(URL, "POST", BODY, **AUTH)
        waits.append((time.monotonic() - started) * 1000)
    return median(waits)


def _judge(offer: OpenLoop, took_s: float, capacity: float, found: Found) -> None:
    goodput = offer.statuses[200] / took_s
    others = offer.statuses.keys() - {200, 429, 503}
    found.counted |= {
        "goodput, pushes/s": goodput,
        "refused": offer.statuses[503] + offer.statuses[429],
        "connections ended": offer.ended,
        "slowest answer, s": max(offer.waits_s, default=0.0),
    }
    found.expect_in_time(
        goodput >= GOODPUT * capacity, f"goodput was {goodput:.0f}/s, of {capacity:.0f}/s that it can take"
    )
    found.expect_in_time(
        not offer.gave_up, f"{offer.gave_up} of {offer.sent} clients were not answered in {PATIENCE_S:g} s"
    )
    found.expect(not others, f"answers had other statuses: {dict(offer.statuses)}")
    found.expect(not offer.no_retry_after, f"{offer.no_retry_after} refusals had no Retry-After")
    found.expect(not offer.ended, f"{offer.ended} connections ended without an answer")


def _return(server: Served, found: Found) -> None:
    paths = viewers.files_of(server)
    pid = server.daemon_pid
    os.kill(int((server.run / "apache.pid").read_text()), signal.SIGHUP)
    with ThreadPoolExecutor(1) as thread:  # this one may have the loop of another test's browser
        took = thread.submit(lambda: asyncio.run(viewers.come(server.port, VIEWERS, paths))).result()
    wait_until(lambda: server.daemon_pid not in {0, pid}, 30)
    found.counted |= {
        "viewers who returned": len(took),
        "until the last had its page, s": max(took, default=viewers.LIMIT_S),
    }
    found.expect(
        len(took) == VIEWERS, f"{VIEWERS - len(took)} of {VIEWERS} viewers had no page in {viewers.LIMIT_S:g} s"
    )


SCENARIO = Scenario(
    10,
    "overload",
    "three times as many pushes as are taken, for a minute; then Apache is restarted, and 1,000 viewers return at once",
    "90 % of what is taken is taken still, the rest answered by 503 with Retry-After, none left without an answer; "
    "usual latency 5 s later; every viewer is served",
    run,
    short=6,
    long=60,
    tools=("wrk",),
)
