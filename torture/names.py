"""A flood of new names: the cap on series holds, and whoever was there before goes on."""

import re
import sqlite3
import time
from contextlib import closing
from dataclasses import dataclass, field
from random import Random

import psutil
from served import Served

from torture.harness import Found, Scenario
from torture.load import AUTH, Client, load, read, serving

BATCH = 1_000  # new names in each push
EVERY_S = 0.3  # a million of them in five minutes
MAX_SERIES = 10_000  # the default of TIDEGAUGE_MAX_SERIES
MEMORY_MB, GROWTH_MB = 256.0, 10.0
SLOWER = 2.0  # times
LEAST_MS = 20.0  # a wait below it is no harm, whatever it was before
PUSHES_PER_S = 100
BESIDE = "beside.v"  # in each push of the flood, and kept


@dataclass
class Flood:
    """What was sent, and what was answered."""

    server: Served
    random: Random
    refused: int = 0  # by the answers
    other: list[str] = field(default_factory=list)  # answers that should not be
    memory_mb: list[float] = field(default_factory=list)  # after each push

    def run(self, pushes: int) -> None:
        """Push so many times a thousand names that nobody has used, and one that is known."""
        client, process, due = Client(self.server), psutil.Process(self.server.daemon_pid), time.monotonic()
        for number in range(pushes):
            time.sleep(max(0.0, due - time.monotonic()))
            due += EVERY_S
            lines = [f"flood,n={self.random.getrandbits(64):x} v=1" for _ in range(BATCH)]
            lines.insert(self.random.randrange(BATCH), f"beside v={number}")
            status, answer = client.ask("/api/v2/write", "POST", "\n".join(lines).encode(), **AUTH)
            said = re.search(rb"(\d+) new series were refused, as TIDEGAUGE_MAX_SERIES are there", answer)
            if said and status == 400:
                self.refused += int(said[1])
            elif status != 204:
                self.other.append(f"{status}: {answer[:200]!r}")
            self.memory_mb.append(process.memory_info().rss / 1e6)
        client.close()


def run(rounds: int, random: Random) -> Found:
    """Flood with *rounds* thousand names, between two whiles in which nobody does."""
    found, quiet_s = Found(), min(rounds * EVERY_S / 2, 60)
    with serving() as server:
        server.push({"name": BESIDE, "value": -1})
        quiet = _quiet(server, quiet_s, "before")
        server.push(*({"name": f"{prefix}.{n}", "value": 0} for prefix in ("during", "after") for n in range(4)))
        series = _metric(server, "tidegauge_series")
        flood = Flood(server, random)
        with load(server, pushes_per_s=PUSHES_PER_S, polls_per_s=0, prefix="during") as during:
            flood.run(rounds)
        quiet += _quiet(server, quiet_s, "after")
        _refused(server, flood, rounds * BATCH - int(MAX_SERIES - series), found)
        _forgotten(server, flood, found)
        found.broken += during.wrong()
        beside = read(server, BESIDE)
        found.expect(beside == [*range(-1, rounds)], f"{BESIDE}, pushed beside new names, has {len(beside)} samples")
    found.expect(not during.pushes.failed, f"known pushes failed: {dict(during.pushes.failed)}")
    _as_fast(quiet, during.pushes.waits_s, found)
    return found


def _quiet(server: Served, seconds: float, prefix: str) -> list[float]:
    with load(server, pushes_per_s=PUSHES_PER_S, polls_per_s=0, prefix=prefix) as running:
        time.sleep(seconds)
    return running.pushes.waits_s


def _metric(server: Served, name: str) -> float:
    [value] = re.findall(rf"^{name} (\S+)$", server.ask("/metrics").body.decode(), re.MULTILINE)
    return float(value)


def _refused(server: Served, flood: Flood, wanted: int, found: Found) -> None:
    series, counted = _metric(server, "tidegauge_series"), _metric(server, "tidegauge_samples_refused_total")
    found.counted |= {"names refused": flood.refused, "series at the end": series}
    found.expect(series == MAX_SERIES, f"there are {series:.0f} series, {MAX_SERIES} allowed")
    found.expect(flood.refused == wanted, f"the answers refuse {flood.refused} names, {wanted} were too many")
    found.expect(counted == wanted, f"/metrics counts {counted:.0f} refusals, {wanted} were due")
    found.expect(not flood.other, f"{len(flood.other)} answers were no refusal: {flood.other[:2]}")


def _forgotten(server: Served, flood: Flood, found: Found) -> None:
    full = flood.memory_mb[min(2 * MAX_SERIES // BATCH, len(flood.memory_mb) // 2) :]  # since the cap is reached
    growth = full[-1] - full[0]
    found.counted |= {"memory at most, MB": max(flood.memory_mb), "memory added by refused names, MB": growth}
    found.expect(max(flood.memory_mb) < MEMORY_MB, f"memory rose to {max(flood.memory_mb):.0f} MB")
    found.expect(growth < GROWTH_MB, f"memory grew by {growth:.1f} MB while names were refused")
    with closing(sqlite3.connect(f"file:{server.journal}?mode=ro", uri=True)) as db:
        [(kept,)] = db.execute("SELECT count(*) FROM series")
    found.counted["names in the journal"] = kept
    found.expect(kept <= MAX_SERIES, f"the journal has {kept} names")


def _as_fast(quiet: list[float], during: list[float], found: Found) -> None:
    found.counted |= {"known pushes in quiet": len(quiet), "known pushes during": len(during)}
    for percent in (50, 99):
        was, became = (sorted(waits)[len(waits) * percent // 100] * 1000 for waits in (quiet, during))
        found.counted |= {f"p{percent} in quiet, ms": was, f"p{percent} during, ms": became}
        allowed = max(SLOWER * was, LEAST_MS)
        found.expect_in_time(became <= allowed, f"p{percent} of known pushes: {became:.1f} ms, {allowed:.1f} allowed")


SCENARIO = Scenario(
    9,
    "names",
    "a million names that nobody has used in five minutes, a thousand a push, beside 100 pushes a second of known ones",
    "no series above TIDEGAUGE_MAX_SERIES; each refusal is answered and counted, and costs no memory (256 MB at most); "
    "known series are kept, within twice the time that they took before",
    run,
    short=30,
    long=1_000,
)
