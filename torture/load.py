"""Agents and viewers at a steady rate, who note what they were answered: what was acknowledged must be there later."""

import json
import socket
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.client import HTTPConnection, HTTPException
from threading import Event, Lock, Thread
from urllib.parse import quote

import served
from served import TOKEN, Served

POLL = "/feeds/server/tail.json"
AUTH = {"Authorization": f"Bearer {TOKEN}"}
TIMEOUT_S = 30.0
BATCH = 5_000  # samples


class Client:
    """A connection that stays open. A request on it that was closed meanwhile is sent once more, as browsers do."""

    def __init__(self, server: Served) -> None:
        self._port = server.port
        self._connection: HTTPConnection | None = None

    def ask(self, path: str, method: str = "GET", body: bytes | None = None, **headers: str) -> tuple[int, bytes]:
        """Return the status and the whole body; raises OSError or HTTPException."""
        sent = {name.replace("_", "-"): value for name, value in headers.items()}
        try:
            return self._ask(path, method, body, sent)
        except TimeoutError:
            self.close()
            raise
        except (OSError, HTTPException):
            self.close()
        try:
            return self._ask(path, method, body, sent)
        except (OSError, HTTPException):
            self.close()
            raise

    def _ask(self, path: str, method: str, body: bytes | None, headers: dict[str, str]) -> tuple[int, bytes]:
        if self._connection is None:
            self._connection = HTTPConnection("127.0.0.1", self._port, timeout=TIMEOUT_S)
            self._connection.connect()
            self._connection.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._connection.request(method, path, body, headers)
        answer = self._connection.getresponse()
        received = answer.read()
        if answer.will_close:
            self.close()
        return answer.status, received

    def close(self) -> None:
        """End the connection."""
        if self._connection:
            self._connection.close()
        self._connection = None

    def __del__(self) -> None:
        self.close()


@dataclass
class Answers:
    """What came back to all agents, or to all viewers. ``slowest_s`` is of those that were answered with success."""

    good: int = 0
    failed: Counter[str] = field(default_factory=Counter)  # by status, or by the error's name
    slowest_s: float = 0.0
    waits_s: list[float] = field(default_factory=list)
    gap_s: float = 0.0  # longest time between two successes
    last: float = field(default_factory=time.monotonic)
    lock: Lock = field(default_factory=Lock)

    def note(self, outcome: int | str, took_s: float) -> None:
        """Note an answer: its status, or the name of an error."""
        with self.lock:
            if outcome in {200, 204, 304}:
                now = time.monotonic()
                self.good += 1
                self.gap_s, self.last = max(self.gap_s, now - self.last), now
                self.slowest_s = max(self.slowest_s, took_s)
                self.waits_s.append(took_s)
            else:
                self.failed[str(outcome)] += 1

    def p99_s(self) -> float:
        """Return the 99th percentile of how long successes took."""
        with self.lock:
            waits = sorted(self.waits_s)
        return waits[len(waits) * 99 // 100] if waits else float("inf")


@dataclass
class Load:
    """What runs: its agents push samples whose values are unlike any other's, each to a series of its own."""

    server: Served
    series: list[str]
    pushes: Answers = field(default_factory=Answers)
    polls: Answers = field(default_factory=Answers)
    acknowledged: list[set[int]] = field(default_factory=list)  # values, by agent
    sent: list[int] = field(default_factory=list)  # how many, by agent

    def wrong(self) -> list[str]:
        """Return what of the acknowledged is lost, and what is there twice, a sentence each."""
        sentences = []
        for name, acknowledged in zip(self.series, self.acknowledged, strict=True):
            there = Counter(read(self.server, name))
            lost = acknowledged - there.keys()
            if lost:
                sentences.append(f"{len(lost)} acknowledged samples of {name} are lost: {sorted(lost)[:10]}")
            if twice := [value for value, count in there.items() if count > 1]:
                sentences.append(f"{len(twice)} samples of {name} are there twice: {sorted(twice)[:10]}")
        return sentences


@contextmanager
def serving(**settings: str) -> Iterator[Served]:
    """Serve, with everything of its own."""
    server = served.start(**settings)
    try:
        yield server
    finally:
        served.stop(server)


def fill(server: Served, end: int, first: int = 0, batch: int = BATCH) -> None:
    """Push the samples *first* to *end* of a hundred series, so many at once; the last one is of now."""
    start = time.time_ns() // 1_000_000 - end
    for at in range(first, end, batch):
        lines = "\n".join(f"filled,n={n % 100} v={n} {start + n}" for n in range(at, at + batch))
        answer = server.ask("/api/v2/write?precision=ms", "POST", lines.encode(), **AUTH)
        assert answer.status == 204, answer.body


def read(server: Served, series: str) -> list[int]:
    """Return the values of every sample that the journal has of *series*."""
    client, cursor = Client(server), 0
    values: list[int] = []
    while True:
        status, body = client.ask(f"/api/series?name={quote(series)}&since={cursor}")
        if status == 404:
            return values
        assert status == 200, body
        page = json.loads(body)
        if not page["v"]:
            return values
        values += map(int, page["v"])
        cursor = page["to"]


@contextmanager
def load(
    server: Served, *, pushes_per_s: float = 50, polls_per_s: float = 150, agents: int = 4, prefix: str = "torture"
) -> Iterator[Load]:
    """Push and poll at these rates until the end of the block, whatever the answers are."""
    running = Load(server, [f"{prefix}.{number}" for number in range(agents)])
    running.acknowledged = [set() for _ in range(agents)]
    running.sent = [0] * agents
    ended = Event()
    threads = [Thread(target=_push, args=(running, one, agents / pushes_per_s, ended)) for one in range(agents)]
    if polls_per_s:
        threads += [Thread(target=_poll, args=(running, agents / polls_per_s, ended)) for _ in range(agents)]
    for one in threads:
        one.start()
    try:
        yield running
    finally:
        ended.set()
        for one in threads:
            one.join()


def _push(running: Load, agent: int, every_s: float, ended: Event) -> None:
    client, due = Client(running.server), time.monotonic()
    while not ended.wait(max(0.0, due - time.monotonic())):
        running.sent[agent] += 1
        value = running.sent[agent]
        sample = {"name": running.series[agent], "value": value, "time": time.time_ns() // 1_000_000}
        started, outcome = time.monotonic(), _ask(client, "/api/series", "POST", json.dumps(sample).encode(), **AUTH)
        running.pushes.note(outcome, time.monotonic() - started)
        if outcome == 200:
            running.acknowledged[agent].add(value)
        due = max(due + every_s, time.monotonic() - 1)  # what a stall has held up is made up for, of a second


def _poll(running: Load, every_s: float, ended: Event) -> None:
    client, due = Client(running.server), time.monotonic()
    while not ended.wait(max(0.0, due - time.monotonic())):
        started, outcome = time.monotonic(), _ask(client, POLL)
        running.polls.note(outcome, time.monotonic() - started)
        due = max(due + every_s, time.monotonic() - 1)


def _ask(client: Client, path: str, *args: object, **headers: str) -> int | str:
    try:
        return client.ask(path, *args, **headers)[0]  # type: ignore[arg-type]
    except (OSError, HTTPException) as error:
        return type(error).__name__
