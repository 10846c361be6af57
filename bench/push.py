"""Pushes to their acknowledged commit, beside bare SQLite and beside a Flask route that keeps nothing."""

import json
import socket
import struct
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from http.client import HTTPConnection
from itertools import count
from pathlib import Path
from random import random
from tempfile import TemporaryDirectory
from urllib.parse import urlsplit

from own_apache import own_apache
from served import TOKEN, Served

from bench import servers, wrk
from bench.contender import Contender
from bench.report import Table
from bench.wrk import Request
from tidegauge.store.journal.sqlite.database import connect

BARE = "bare executemany, same tables"
EMPTY = "Flask route: parses the JSON, keeps nothing"
BATCH, SERIES = 5_000, 1_000
BATCHES = 40
MILLION = 1_000_000
PATIENCE_S = 120
BUDGET = "budget"
CARBON = "carbon, in its files, no sync and no answer"
OURS = "/api/v2/write?precision=ms"
INFLUXDB = "/write?db=bench&precision=ms"
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


class Bare:
    """The journal's own tables, without names to look up, checksums, windows, or anybody who waits."""

    def __init__(self, path: Path) -> None:
        self.db = connect(path)
        # What SQLite needs to read one series. Ours (series_index.py) is written once for many samples.
        self.db.execute("CREATE INDEX sample_by_series ON sample (series)")
        self.last = 0

    def samples_per_s(self, batches: int = BATCHES) -> float:
        """Append batches of BATCH samples, a commit each, and return the rate."""
        rows = []
        for _ in range(batches):
            first, self.last = self.last + 1, self.last + BATCH
            rows.append([(first + n, n % 1000, 1_795_000_000_000 + n, random()) for n in range(BATCH)])
        started = time.perf_counter()
        for batch in rows:
            self.db.execute("BEGIN IMMEDIATE")
            self.db.executemany("INSERT INTO sample (seq, series, time, value) VALUES (?, ?, ?, ?)", batch)
            self.db.execute("COMMIT")
        return BATCH * batches / (time.perf_counter() - started)


def post(connection: HTTPConnection, path: str, body: bytes) -> None:
    """Push *body*; raises RuntimeError where it is not kept."""
    connection.request("POST", path, body, AUTH)
    answer = connection.getresponse()
    said = answer.read()
    if answer.status not in {200, 204}:
        raise RuntimeError(f"{answer.status}: {said[:300]!r}")


def _bodies(batches: int, agent: int, agents: int) -> list[bytes]:
    """Return what one of some agents sends: of 1,000 series each has its own."""
    series = SERIES // agents
    hosts = range(agent * series, (agent + 1) * series)
    return [_body(hosts, [next(_times) for _ in range(BATCH // series)]) for _ in range(batches)]


def _body(hosts: range, times: Sequence[int]) -> bytes:
    return "\n".join(f"cpu,host=h{host} value={random():.6f} {at}" for at in times for host in hosts).encode()


def lines(port: int, path: str = OURS, batches: int = BATCHES, agents: int = 2) -> float:
    """Return samples a second of agents that send line protocol, each waiting for the answer."""
    bodies = [_bodies(batches // agents, agent, agents) for agent in range(agents)]

    def send(number: int) -> None:
        connection = HTTPConnection("127.0.0.1", port, timeout=60)
        for body in bodies[number]:
            post(connection, path, body)
        connection.close()

    started = time.perf_counter()
    with ThreadPoolExecutor(agents) as pool:
        list(pool.map(send, range(agents)))
    return BATCH * batches / (time.perf_counter() - started)


def paced(port: int, size: int, samples_per_s: float, seconds: float) -> None:
    """Push batches of *size* samples of as many series, evenly, however slow the answers are."""
    bodies = [_body(range(size), [next(_times)]) for _ in range(round(samples_per_s * seconds / size))]
    connection = HTTPConnection("127.0.0.1", port, timeout=60)
    started = time.perf_counter()
    for number, body in enumerate(bodies):
        time.sleep(max(0.0, started + number * size / samples_per_s - time.perf_counter()))
        post(connection, OURS, body)
    connection.close()


def batches(server: Served, rounds: int, batches: int = BATCHES) -> Table:
    """Return samples a second, to the answer that they are kept.

    All have a million samples to begin with (two batches in a quick run): an empty journal takes them four times as
    fast.
    """
    table = Table("Samples in, batches of 5,000, kept when answered", {"samples": "/s"}, BARE, "samples")
    begun = MILLION // BATCH if rounds > 1 else 2
    with TemporaryDirectory(dir="/var/tmp") as folder, servers.influxdb() as influxdb, servers.carbon() as carbon:
        bare = Bare(Path(folder, "bare.sqlite"))
        bare.samples_per_s(begun)
        port = urlsplit(influxdb.url).port or 0
        lines(server.port, batches=begun)
        lines(port, INFLUXDB, batches=begun)
        times = count(int(time.time()) - 3_000)  # s; its files hold an hour
        _carbon_per_s(*carbon, times, 1)  # its files are made
        for _ in range(rounds):
            table.add(BARE, samples=bare.samples_per_s(batches))
            for agents in (1, 2, 8):
                table.add(f"Tidegauge, agents: {agents}", samples=lines(server.port, OURS, batches, agents))
                table.add(f"InfluxDB, agents: {agents}", samples=lines(port, INFLUXDB, batches, agents))
            table.add(CARBON, samples=_carbon_per_s(*carbon, times, batches))
        bare.db.close()
        table.versions = {one.name: one.version for one in (influxdb, carbon[0])}
        _check_influxdb_has(influxdb, begun + 3 * rounds * batches)
    return table


def _carbon_per_s(carbon: Contender, whisper: Path, seconds: Iterator[int], batches: int) -> float:
    """Return samples a second until they are in carbon's files, as it never answers; it does not sync them."""
    lines = []
    for _ in range(batches):
        times = [next(seconds) for _ in range(BATCH // 1000)]
        lines.append("".join(f"cpu.h{n % 1000} {random():.6f} {times[n // 1000]}\n" for n in range(BATCH)))
    newest = struct.pack("!L", times[-1])  # of a row in a whisper file
    started = time.perf_counter()
    with socket.create_connection(("127.0.0.1", urlsplit(carbon.url).port or 0)) as connection:
        for part in lines:
            connection.sendall(part.encode())
    waiting = [whisper / f"cpu/h{n}.wsp" for n in range(1000)]
    while waiting:
        if time.perf_counter() - started > PATIENCE_S:
            raise RuntimeError(f"carbon has not written {len(waiting)} of 1,000 series within {PATIENCE_S} s")
        waiting = [path for path in waiting if not path.exists() or newest not in path.read_bytes()]
    return BATCH * batches / (time.perf_counter() - started)


def _check_influxdb_has(influxdb: Contender, batches: int) -> None:
    said = json.loads(influxdb.ask("/query?db=bench&q=SELECT%20count(value)%20FROM%20cpu"))
    count = said["results"][0]["series"][0]["values"][0][1]
    if count != batches * BATCH:
        raise RuntimeError(f"InfluxDB has {count} samples of {batches * BATCH}")


def singles(server: Served, rounds: int, seconds: float) -> Table:
    """Return pushes of one sample a second, from 16 connections."""
    table = Table("Samples in, one a push, 16 connections", {"pushes": "/s", "p99": "ms"}, EMPTY, "pushes")
    push = Request("/api/series", "POST", AUTH, b'{"name": "single", "value": 1.5}')
    with servers.influxdb() as influxdb, own_apache(server, neighbour=NEIGHBOUR) as other:
        found = {
            EMPTY: (other.url, replace(push, path="/daemon/")),
            "Tidegauge, JSON": (server.url, push),
            "InfluxDB, line protocol": (influxdb.url, Request(INFLUXDB, "POST", body=b"single value=1.5")),
        }
        for _ in range(rounds):
            for name, (url, request) in found.items():
                load = wrk.run(url, [request], seconds, connections=16)
                table.add(name, pushes=load.per_s, p99=load.p99_ms)
    return table


def latency(server: Served, probes: int) -> Table:
    """Return ms from the answer of a push to its presence in a feed of 1,000 series, which all change meanwhile."""
    files = [
        server.run / "feeds/many" / file for file in ("tail.json", "window.json")
    ]  # a burst is in the window alone
    waits = []
    with ThreadPoolExecutor(1) as pool:
        connection = HTTPConnection("127.0.0.1", server.port, timeout=60)
        for number in range(probes):
            body = "\n".join(f"load,host=h{n} value={number}" for n in range(1000)).encode()
            others = pool.submit(post, HTTPConnection("127.0.0.1", server.port, timeout=60), "/api/v2/write", body)
            value = number + 1_000_000.5
            post(connection, "/api/series", json.dumps({"name": "load.value{host=h0}", "value": value}).encode())
            answered = time.perf_counter()
            while not any(f"{value}" in file.read_text() for file in files):
                time.sleep(0.002)
            waits.append((time.perf_counter() - answered) * 1000)
            others.result()
    waits.sort()
    table = Table("From a push's answer to the feed, 1,000 live series", {"p50": "ms", "p99": "ms"}, BUDGET, "p99")
    table.add(BUDGET, p99=700.0)
    table.add("Tidegauge", p50=waits[probes // 2], p99=waits[probes * 99 // 100 - 1])
    return table


def memory(server: Served, batches: int) -> Table:
    """Return MB of the daemon process with 1,000 full windows, and after as many samples more."""
    status = Path(f"/proc/{server.daemon_pid}/status")

    def resident_mb() -> float:
        return int(status.read_text().split("VmRSS:")[1].split()[0]) / 1024

    table = Table("Memory of the daemon process", {"resident": "MB"}, BUDGET, "resident")
    table.add(BUDGET, resident=150.0)
    for moment in ("1,000 full windows", "a million samples later"):
        lines(server.port, batches=batches)
        table.add(moment, resident=resident_mb())
    return table
