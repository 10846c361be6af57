"""Pushes to their acknowledged commit, beside bare SQLite and beside a Flask route that keeps nothing."""

import json
import subprocess
import time
from concurrent.futures import ThreadPoolExecutor
from http.client import HTTPConnection
from itertools import count
from pathlib import Path
from random import random
from tempfile import TemporaryDirectory

from own_apache import own_apache
from served import TOKEN, Served

from app.journal.database import connect

BARE = "bare executemany, same tables"
EMPTY = "Flask route: parses the JSON, keeps nothing"
BATCH = 5_000
BATCHES = 40
MILLION = 1_000_000
ROUNDS = 5
SECONDS = 4
PROBES = 100
AUTH = {"Authorization": f"Bearer {TOKEN}"}
_times = count(time.time_ns() // 1_000_000 - 10_000_000)

NEIGHBOUR = """
import json
from flask import Flask, request
application = Flask(__name__)
@application.post("/")
def take():
    json.loads(request.get_data())
    return "", 204
"""
# wrk's own language: https://github.com/wg/wrk/blob/master/SCRIPTING
SCRIPT = """
wrk.method = "POST"
wrk.headers["Authorization"] = "Bearer {token}"
wrk.body = '{{"name": "single", "value": 1.5}}'
"""


class Bare:
    """The journal's own tables, without names to look up, checksums, windows, or anybody who waits."""

    def __init__(self, path: Path) -> None:
        self.db = connect(path)
        self.last = 0

    def samples_per_s(self, batches: int = BATCHES) -> float:
        """Append batches of BATCH samples, a commit each, and return the rate."""
        rows = []
        for _ in range(batches):
            first, self.last = self.last + 1, self.last + BATCH
            rows.append([(first + n, n % 1000, 1_795_000_000_000 + n, random()) for n in range(BATCH)])  # noqa: S311
        started = time.perf_counter()
        for batch in rows:
            self.db.execute("BEGIN IMMEDIATE")
            self.db.executemany("INSERT INTO sample (seq, series, time, value) VALUES (?, ?, ?, ?)", batch)
            self.db.execute("COMMIT")
        return BATCH * batches / (time.perf_counter() - started)


def _post(connection: HTTPConnection, path: str, body: bytes) -> None:
    connection.request("POST", path, body, AUTH)
    answer = connection.getresponse()
    said = answer.read()
    if answer.status not in {200, 204}:
        raise RuntimeError(f"{answer.status}: {said[:300]!r}")


def _lines(server: Served, batches: int = BATCHES, agents: int = 2) -> float:
    bodies = []
    for _ in range(batches):
        times = [next(_times) for _ in range(BATCH // 1000)]
        lines = [f"cpu,host=h{n % 1000} value={random():.6f} {times[n // 1000]}" for n in range(BATCH)]  # noqa: S311
        bodies.append("\n".join(lines).encode())

    def send(number: int) -> None:
        connection = HTTPConnection("127.0.0.1", server.port, timeout=60)
        for body in bodies[number::agents]:
            _post(connection, "/api/v2/write?precision=ms", body)
        connection.close()

    started = time.perf_counter()
    with ThreadPoolExecutor(agents) as pool:
        list(pool.map(send, range(agents)))
    return BATCH * batches / (time.perf_counter() - started)


def batches(server: Served) -> dict[str, list[float]]:
    """Return samples a second: bare SQLite, and line protocol over HTTP from a few agents, which share commits.

    Both journals have a million samples to begin with: an empty one takes them four times as fast.
    """
    found: dict[str, list[float]] = {BARE: []}
    with TemporaryDirectory(dir="/var/tmp") as folder:
        bare = Bare(Path(folder, "bare.sqlite"))
        bare.samples_per_s(MILLION // BATCH)
        _lines(server, MILLION // BATCH)
        for _ in range(ROUNDS):
            found[BARE].append(bare.samples_per_s())
            for agents in (1, 2, 8):
                found.setdefault(f"line protocol, agents: {agents}", []).append(_lines(server, agents=agents))
        bare.db.close()
    return found


def singles(server: Served) -> dict[str, list[float]]:
    """Return pushes a second from 16 connections."""
    found: dict[str, list[float]] = {EMPTY: [], "JSON push": []}
    with TemporaryDirectory() as folder, own_apache(server, neighbour=NEIGHBOUR) as other:
        script = Path(folder, "push.lua")
        script.write_text(SCRIPT.format(token=TOKEN))
        urls = {EMPTY: f"{other.url}daemon/", "JSON push": f"{server.url}api/series"}
        for _ in range(ROUNDS):
            for name, url in urls.items():
                command = ["wrk", "-t1", "-c16", f"-d{SECONDS}s", "-s", str(script), url]
                printed = subprocess.run(command, capture_output=True, text=True, check=True).stdout
                if "Non-2xx" in printed:
                    raise RuntimeError(f"{url} failed under load:\n{printed}")
                found[name].append(float(printed.split("Requests/sec:")[1].split()[0]))
    return found


def latency(server: Served) -> dict[str, list[float]]:
    """Return ms from the answer of a push to its presence in a feed of 1,000 series, which all change meanwhile."""
    files = [
        server.run / "feeds/many" / file for file in ("tail.json", "window.json")
    ]  # a burst is in the window alone
    waits = []
    with ThreadPoolExecutor(1) as pool:
        connection = HTTPConnection("127.0.0.1", server.port, timeout=60)
        for number in range(PROBES):
            body = "\n".join(f"load,host=h{n} value={number}" for n in range(1000)).encode()
            others = pool.submit(_post, HTTPConnection("127.0.0.1", server.port, timeout=60), "/api/v2/write", body)
            value = number + 1_000_000.5
            _post(connection, "/api/series", json.dumps({"name": "load.value{host=h0}", "value": value}).encode())
            answered = time.perf_counter()
            while not any(f"{value}" in file.read_text() for file in files):
                time.sleep(0.002)
            waits.append((time.perf_counter() - answered) * 1000)
            others.result()
    waits.sort()
    return {"publish_ms": [500.0], "median": [waits[PROBES // 2]], "p99": [waits[PROBES * 99 // 100 - 1]]}


def memory(server: Served) -> dict[str, list[float]]:
    """Return MB of the daemon process with 1,000 full windows, and after a million samples more."""
    status = Path(f"/proc/{server.daemon_pid}/status")

    def resident_mb() -> float:
        return int(status.read_text().split("VmRSS:")[1].split()[0]) / 1024

    _lines(server, MILLION // BATCH)
    before = resident_mb()
    _lines(server, MILLION // BATCH)
    return {"budget": [150.0], "1,000 full windows": [before], "a million samples later": [resident_mb()]}
