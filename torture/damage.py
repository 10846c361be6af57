"""The journal's files are damaged while the server is stopped; then it starts. ``corruption.py`` has the ways."""

import json
import time
from collections import Counter
from contextlib import closing
from http.client import HTTPException
from pathlib import Path
from random import Random
from tempfile import TemporaryDirectory

import psutil
from served import Served

from torture.corruption import PAGE, WAYS, Corruption, log_cut, older_copy
from torture.harness import Found, Scenario, wait_until
from torture.intact import SERIES, Contents, Journals, Sample, contents, make, put
from torture.load import AUTH, Client, serving

SAMPLES = 200_000
UP_S = 10.0
NAMED_S = 30.0  # until the check in the background has been through, beside other work of this machine


def run(rounds: int, random: Random) -> Found:
    """Damage so many copies of one journal, start on each, and look."""
    found = Found()
    with TemporaryDirectory() as name, serving() as server:
        journals = make(server, Path(name), SAMPLES if rounds > len(WAYS) else SAMPLES // 5)
        killed = contents(journals.killed)
        found.counted["until ready where nothing is damaged, s"] = _start(server)
        server.command("stop")
        for number in range(rounds):
            way = WAYS[number % len(WAYS)]
            put(journals.killed if way is log_cut else journals.stopped, server.journal.parent)
            corruption = way(server.journal.parent, journals, random)
            before = _kept_files(server, journals, compare=way not in {log_cut, older_copy})
            intact = killed if way is log_cut else journals.intact
            broken = _look(server, intact, corruption, before, found)
            found.broken += [f"damage {number}, {corruption.what}: {what}" for what in broken]
            found.count("damages")
            server.command("stop")
    return found


def _kept_files(server: Served, journals: Journals, *, compare: bool) -> tuple[int, int, dict[int, bytes]]:
    """Return what tells the file later: its inode, its size, and the pages of its samples but the last."""
    data, size = server.journal.read_bytes(), server.journal.stat().st_size
    numbers = [page.number for page in journals.intact.pages if page.table == "sample"] if compare else []
    newest = max(numbers, default=0)
    pages = {n: data[(n - 1) * PAGE : n * PAGE] for n in numbers if n * PAGE <= size and n != newest}
    return server.journal.stat().st_ino, size, pages


def _look(
    server: Served, intact: Contents, corruption: Corruption, before: tuple[int, int, dict[int, bytes]], found: Found
) -> list[str]:
    """Start on what was damaged, and return what does not hold."""
    try:
        up_s = _start(server)
    except AssertionError as error:
        return [f"it does not start: {str(error)[-300:]}"]
    found.longest("longest until ready, s", up_s)
    found.expect_in_time(up_s <= UP_S, f"{corruption.what}: it was ready after {up_s:.1f} s")
    named = wait_until(lambda: _troubles(server), NAMED_S if corruption.surely else 0)
    sentence, there = _compare(server, intact, corruption)
    deadline = time.monotonic() + NAMED_S
    while sentence and time.monotonic() < deadline:
        time.sleep(0.5)
        sentence, there = _compare(server, intact, corruption)
    broken = [sentence] if sentence else []
    missing = intact.samples.keys() - there
    troubles = _troubles(server)
    found.count("of them named", bool(troubles))
    found.count("of them that cost nothing", not missing)
    kind = "a header, a schema or names" if len(corruption.costs) == len(intact.samples) else "the others"
    found.count(f"samples that {kind} cost", len(missing))
    if not troubles and (missing or corruption.surely):
        broken.append(f"{len(missing)} samples are missing, and nothing is named")
    if corruption.surely:
        found.longest("longest until named, s", up_s + named)
    return broken + _deleted(server, before) + _not_taken(server)


def _start(server: Served) -> float:
    """Start, and return how many seconds after Apache's beginning it is ready."""
    server.command("start")
    return time.time() - psutil.Process(int((server.run / "apache.pid").read_text())).create_time()


def _troubles(server: Served) -> list[str]:
    return [one for one in server.ask("/health").json["troubles"] if one.startswith("journal:")]


def _compare(server: Served, intact: Contents, corruption: Corruption) -> tuple[str, Counter[Sample]]:
    """Return in which way what is read is not what it should be, "" if it is; and what is read."""
    try:
        there = _read_all(server)
    except (AssertionError, OSError, HTTPException) as error:
        return f"it cannot be read: {str(error)[:200]}", Counter()
    lost = [sample for sample, seq in intact.samples.items() if sample not in there and seq not in corruption.costs]
    wrong = [one for one, count in there.items() if count > 1 or one not in intact.samples]
    if lost:
        return f"{len(lost)} samples are lost that it did not hit, and {len(corruption.costs)} that it can have", there
    return f"{len(wrong)} samples are there twice or were never sent: {wrong[:3]}" if wrong else "", there


def _read_all(server: Served) -> Counter[Sample]:
    """Return every sample of the series that were filled, as often as it is read."""
    there: Counter[Sample] = Counter()
    with closing(Client(server)) as client:
        for number in range(SERIES):
            name, cursor = f"filled.v{{n={number}}}", 0
            while True:
                status, body = client.ask(f"/api/series?name={name}&since={cursor}")
                if status == 404:
                    break
                assert status == 200, body
                page = json.loads(body)
                if not page["v"]:
                    break
                there.update((name, t, v) for t, v in zip(page["t"], page["v"], strict=True))
                cursor = page["to"]
    return there


def _deleted(server: Served, before: tuple[int, int, dict[int, bytes]]) -> list[str]:
    """Look for the file, under whatever name, and for the samples that were in it."""
    inode, size, pages = before
    files = [file for file in server.journal.parent.iterdir() if file.stat().st_ino == inode]
    if not files:
        return ["the damaged file is deleted"]
    data = files[0].read_bytes()
    changed = sum(data[(number - 1) * PAGE : number * PAGE] != content for number, content in pages.items())
    broken = [f"{changed} pages of samples in {files[0].name} were changed"] if changed else []
    return broken + ([f"{files[0].name} is shorter than it was"] if len(data) < size else [])


def _not_taken(server: Served) -> list[str]:
    sample = {"name": "after.damage", "value": 1.5, "time": time.time_ns() // 1_000_000}
    answer = server.ask("/api/series", "POST", json.dumps(sample).encode(), **AUTH)
    if answer.status != 200:
        return [f"a push is refused: {answer.status} {answer.body[:200]!r}"]
    there = server.ask("/api/series?name=after.damage").json["v"]
    return [] if there == [1.5] else [f"a push that was answered with success is not there: {there}"]


SCENARIO = Scenario(
    12,
    "damage",
    "a journal of 200,000 samples is damaged in 9 ways: a page zeroed, bits flipped, the tail torn, the header spoilt,"
    " an older copy, the log cut, the mark spoilt, a stray write into the index, a batch's row overwritten",
    "ready in 10 s; the damage is named; what it did not hit is read as before; nothing is deleted; pushes are taken",
    run,
    short=4,
    long=100,
)
