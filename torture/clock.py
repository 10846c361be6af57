"""The system's clock is set: by seconds and by decades, forwards and back, while samples come in."""

import json
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from random import Random
from tempfile import TemporaryDirectory
from threading import Event, Thread

from served import Served

from torture.foreground import foreground
from torture.harness import Found, Scenario, wait_until
from torture.load import AUTH, POLL, Client, Load, load, serving

LIBRARY = Path("/usr/lib/x86_64-linux-gnu/faketime/libfaketimeMT.so.1")
EVERY_S = 0.2
SAMPLER = f"""
from itertools import count
from tidegauge import dashboard, live, sampler
from bokeh.plotting import figure

calls = count(1)

@sampler("torture.steady", every_s={EVERY_S})
def steady():
    return next(calls)

@dashboard(title="Steady")
def steady_plot():
    plot = figure()
    plot.line("t", "v", source=live("torture.steady"))
    return plot
"""
DAY_S = 86_400
GOES_ON_S = 5.0


def run(rounds: int, random: Random) -> Found:
    """Set the clock, look whether all goes on, and set it again; then read everything back."""
    found = Found()
    with TemporaryDirectory() as name:
        folder, offset = Path(name), Path(name, "offset")
        folder.chmod(0o755)
        (folder / "steady.py").write_text(SAMPLER)
        set_clock(offset, 0)
        with (
            serving(TIDEGAUGE_DASHBOARDS=str(folder), TIDEGAUGE_WINDOW="100") as server,
            foreground(server, environ=of(offset)),
        ):
            pid = server.daemon_pid
            with load(server) as running, _untimed(server) as untimed:
                for jump in _jumps(rounds, random):
                    set_clock(offset, jump)
                    found.count("jumps")
                    _goes_on(server, jump, untimed, random.uniform(1, 3), found)
            found.expect(server.daemon_pid == pid, "the Python process ended")
            _judge(running, untimed, found)
    return found


def of(offset: Path) -> dict[str, str]:
    """What the library wants to know: also that only the system's clock is set, not the time since the start."""
    return {
        "LD_PRELOAD": str(LIBRARY),
        "FAKETIME_TIMESTAMP_FILE": str(offset),
        "FAKETIME_CACHE_DURATION": "1",
        "FAKETIME_DONT_FAKE_MONOTONIC": "1",
        "FAKETIME_DISABLE_SHM": "1",
        "NO_FAKE_STAT": "1",
    }


def set_clock(offset: Path, by_s: int) -> None:
    new = offset.with_suffix(".new")
    new.write_text(f"{by_s:+d}\n")
    new.replace(offset)


def _jumps(rounds: int, random: Random) -> Iterator[int]:
    """Yield seconds by which the clock shall be wrong: each kind in turn, in an order of chance; right at the end."""
    now = int(time.time())
    kinds = [
        lambda: random.choice((-1, 1)) * random.randint(2, 59),
        lambda: random.choice((-1, 1)) * random.randint(1, 23) * 3600,
        lambda: random.choice((-1, 1)) * random.randint(1, 60) * DAY_S,
        lambda: DAY_S - now,  # 1970
        lambda: 2**32 - now,  # 2106
    ]
    order: list[int] = []
    for _ in range(rounds - 1):
        order = order or random.sample(range(len(kinds)), len(kinds))
        yield kinds[order.pop()]()
    yield 0


@contextmanager
def _untimed(server: Served) -> Iterator[Load]:
    """Push samples that have no time, and keep what was acknowledged."""
    running = Load(server, ["torture.untimed"], acknowledged=[set()], sent=[0])
    ended = Event()
    thread = Thread(target=_push, args=(running, ended))
    thread.start()
    try:
        yield running
    finally:
        ended.set()
        thread.join()


def _push(running: Load, ended: Event) -> None:
    client = Client(running.server)
    while not ended.wait(0.05):
        running.sent[0] += 1
        body = json.dumps({"name": running.series[0], "value": running.sent[0]}).encode()
        started, outcome = time.monotonic(), client.ask("/api/series", "POST", body, **AUTH)[0]
        running.pushes.note(outcome, time.monotonic() - started)
        if outcome == 200:
            running.acknowledged[0].add(running.sent[0])


def _goes_on(server: Served, jump: int, untimed: Load, for_s: float, found: Found) -> None:
    def tail() -> int:
        return int(server.ask(POLL).json["to"])

    before, kept = tail(), untimed.pushes.good
    took = wait_until(lambda: tail() > before and untimed.pushes.good > kept, 30)
    found.longest("longest until the feed and pushes went on, s", took)
    found.expect_in_time(took <= GOES_ON_S, f"set by {jump} s: {took:.1f} s until the feed and pushes went on")
    first, started = _sampled(server)
    time.sleep(for_s)
    last, ended = _sampled(server)
    taken, due = last - first, (ended - started) / EVERY_S
    found.longest("samples more or less than the clock's seconds have, of a sampler, most", abs(taken - due))
    found.expect_in_time(
        abs(taken - due) <= 3, f"set by {jump} s: a sampler took {taken} samples where {due:.1f} were due"
    )
    for one in server.ask("/feeds/steady/window.json").json["series"]:
        found.expect(one["t"] == sorted(one["t"]), f"set by {jump} s: {one['name']} is not in the order of its times")


def _sampled(server: Served) -> tuple[int, float]:
    """Return how often the sampler was called, and when that was so, by this process's monotonic clock.

    The library reads its file once a second in each process. Until all have, Apache's children and the Python process
    have different times, and mod_wsgi takes requests for old ones: 504. A system has one clock.
    """
    deadline = time.monotonic() + 30
    while (answer := server.ask("/api/series")).status != 200:
        assert time.monotonic() < deadline, answer.body
        time.sleep(0.05)
    series = {one["name"]: one["value"] for one in answer.json["series"]}
    return int(series["torture.steady"] or 0), time.monotonic()


def _judge(running: Load, untimed: Load, found: Found) -> None:
    found.broken += running.wrong() + untimed.wrong()
    # A push whose samples' times are years away is refused: 400. And 504: see _sampled.
    for what, one, lawful in (("with their time", running, {"400", "504"}), ("without a time", untimed, {"504"})):
        found.count(f"acknowledged {what}", sum(map(len, one.acknowledged)))
        found.count(f"refused {what}", sum(one.pushes.failed.values()))
        found.expect(one.pushes.failed.keys() <= lawful, f"pushes {what} failed: {dict(one.pushes.failed)}")
    found.count("polls", running.polls.good)
    found.count("polls failed", sum(running.polls.failed.values()))
    found.expect(not running.polls.failed, f"polls failed: {dict(running.polls.failed)}")


SCENARIO = Scenario(
    13,
    "clock",
    "the system's clock is set by seconds, hours and days, to 1970 and to 2106, forwards and back, under load",
    "nothing acknowledged is lost or doubled; feeds go on in 5 s; samplers keep their pace; plots are in order",
    run,
    short=4,
    long=30,
    tools=("faketime",),
)
