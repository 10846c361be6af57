"""Clients that take their time: for their headers, for their bodies, or for reading the answer."""

import re
import socket
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.client import HTTPException
from random import Random
from threading import Event, Thread

from served import TOKEN, Served

from torture.harness import Found, Scenario
from torture.load import POLL, Answers, Client, serving

PAGE = "/health/live"  # the cheapest that needs Python
SOCKETS, GOOD_SENDERS = 500, 16
LIMIT_MS, GOOD_LIMIT_MS = 100.0, 250.0
NOISE = 2.0  # times the quiet p99 are allowed where that is more: the machine is busy with something else
EVERY_S = 1.0  # each attacker moves once in this time
PIPELINED = 20  # scripts asked for at once: more than the kernel's buffers take
LENGTH = 100_000  # bytes that a slow body promises
HOST = b"Host: localhost\r\n"
OPEN_URLS = ["/", "/data/", "/dashboard/server/", "/health/live", "/api/series?name=x", POLL, "/static/none", "/ping"]
PUSH_URLS = ["/api/series", "/api/v2/write", "/write", "/v1/metrics", "/collectd", "/query"]
BAD = ["", "Authorization: Bearer wrong\r\n", "Authorization: Token *\r\n", "Authorization: Basic eDp5\r\n"]


@dataclass(frozen=True)
class Kind:
    """One way to be slow.

    Args:
        opening: what a connection sends first.
        drop: what it sends in each second after that; empty: it reads a byte instead.
        limit_ms: 99 of 100 polls are answered within this time all the while.
    """

    opening: Callable[[Random], bytes]
    drop: Callable[[Random], bytes]
    sockets: int = SOCKETS
    limit_ms: float = LIMIT_MS


@dataclass
class Attackers:
    """Those who are slow, each on a connection that is opened anew when the server ends it."""

    server: Served
    kind: Kind
    random: Random
    opened: int = 0
    open: dict[int, socket.socket] = field(default_factory=dict)

    def attack(self, ended: Event) -> None:
        """Let each do one step after the other, evenly spread, until the end."""
        number, due = 0, time.monotonic()
        while not ended.wait(max(0.0, due - time.monotonic())):
            for _ in range(max(1, self.kind.sockets // 50)):
                self._step(number % self.kind.sockets)
                number += 1
            due = max(due + EVERY_S / min(50, self.kind.sockets), time.monotonic() - EVERY_S)
        for one in self.open.values():
            one.close()

    def _step(self, number: int) -> None:
        try:
            if number not in self.open:
                self.open[number] = self._connect()
            elif drop := self.kind.drop(self.random):
                self.open[number].send(drop)
                if self.open[number].recv(1 << 16) == b"":
                    raise ConnectionResetError
            elif self.open[number].recv(1) == b"":
                raise ConnectionResetError
        except BlockingIOError:  # nothing to read, or no room to send
            pass
        except OSError:
            if number in self.open:
                self.open.pop(number).close()

    def _connect(self) -> socket.socket:
        one = socket.socket()
        one.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        one.settimeout(EVERY_S)
        one.connect(("127.0.0.1", self.server.port))
        one.setblocking(False)
        self.opened += 1
        one.send(self.kind.opening(self.random))
        return one


def run(rounds: int, random: Random) -> Found:
    """Be slow in each way for so many seconds, after as many in which nobody is."""
    found = Found()
    with serving() as server:
        quiet_ms = _watch(server, rounds, "in quiet", found).p99_s() * 1000
        for name, kind in _kinds(server).items():
            with _attack(server, kind, random) as attackers:
                p99_ms = _watch(server, rounds, f"beside {name}", found).p99_s() * 1000
                found.counted[f"connections of {name}"] = attackers.opened
                found.counted[f"{name}, held at the end"] = len(attackers.open)
            found.expect(attackers.opened >= kind.sockets, f"only {attackers.opened} connections of {name} came about")
            allowed_ms = max(kind.limit_ms, NOISE * quiet_ms)
            found.expect_in_time(
                p99_ms < allowed_ms, f"p99 of polls beside {name}: {p99_ms:.0f} ms, {allowed_ms:.0f} allowed"
            )
    return found


def _kinds(server: Served) -> dict[str, Kind]:
    [script] = re.findall(rb'src="\.\./\.\./(static/\w+/bokeh\.min\.js)"', server.ask("/dashboard/server/").body)
    files = [b"/" + script, b"/feeds/server/window.json"]
    return {
        "slow headers": Kind(_half_a_head, lambda random: random.choice([b"x", b"X-A: b\r\n"])),
        "slow reads": Kind(
            lambda random: b"GET %s HTTP/1.1\r\n%s\r\n" % (random.choice(files), HOST) * PIPELINED, lambda _: b""
        ),
        "slow bodies of no push": Kind(lambda random: _head(random, OPEN_URLS, [""]), _trickle),
        "slow bodies with a bad token": Kind(lambda random: _head(random, PUSH_URLS, BAD), _trickle),
        "slow bodies with a good token": Kind(
            lambda random: _head(random, PUSH_URLS[:1], [f"Authorization: Bearer {TOKEN}\r\n"]),
            lambda random: b" " * random.choice([1, 100, 2200]),
            GOOD_SENDERS,
            GOOD_LIMIT_MS,
        ),
    }


def _trickle(random: Random) -> bytes:
    return random.choice([b"x", b"x", b" " * 600])


def _half_a_head(random: Random) -> bytes:
    return random.choice([b"", b"G", b"GET / HTTP/1.1\r\n", b"GET %s HTTP/1.1\r\n%sX-A: " % (POLL.encode(), HOST)])


def _head(random: Random, urls: list[str], tokens: list[str]) -> bytes:
    method = "POST" if urls is not OPEN_URLS else random.choice(["GET", "POST", "PUT"])
    length = random.choice(
        [f"Content-Length: {LENGTH}\r\n\r\n{{", f"Transfer-Encoding: chunked\r\n\r\n{LENGTH:x}\r\n{{"]
    )
    return f"{method} {random.choice(urls)} HTTP/1.1\r\nHost: localhost\r\n{random.choice(tokens)}{length}".encode()


@contextmanager
def _attack(server: Served, kind: Kind, random: Random) -> Iterator[Attackers]:
    attackers, ended = Attackers(server, kind, random), Event()
    thread = Thread(target=attackers.attack, args=(ended,))
    thread.start()
    try:
        yield attackers
    finally:
        ended.set()
        thread.join()


def _watch(server: Served, seconds: float, when: str, found: Found) -> Answers:
    polls, pages, ended = Answers(), Answers(), Event()
    askers = [(POLL, polls, 0.04)] * 4 + [(PAGE, pages, 0.1)] * 2
    threads = [Thread(target=_ask, args=(server, *one, ended)) for one in askers]
    for one in threads:
        one.start()
    time.sleep(seconds)
    ended.set()
    for one in threads:
        one.join()
    for what, answers in (("polls", polls), ("pages", pages)):
        found.count(f"{what} {when}", answers.good)
        found.counted[f"p99 of {what} {when}, ms"] = answers.p99_s() * 1000
        found.counted[f"longest of {what} {when}, ms"] = answers.slowest_s * 1000
        found.expect(not answers.failed, f"{what} failed {when}: {dict(answers.failed)}")
    return polls


def _ask(server: Served, path: str, answers: Answers, every_s: float, ended: Event) -> None:
    """Ask at a steady rate. An answer's time counts from when it was due, so that a stall counts for all it delays."""
    client, due = Client(server), time.monotonic()
    while not ended.wait(max(0.0, due - time.monotonic())):
        try:
            outcome: int | str = client.ask(path)[0]
        except (OSError, HTTPException) as error:
            outcome = type(error).__name__
        answers.note(outcome, time.monotonic() - due)
        due += every_s
    client.close()


SCENARIO = Scenario(
    6,
    "slow",
    "500 connections each of slow headers, slow reads, slow bodies where none is taken, and slow bodies with a bad "
    "token; 16 slow senders with a good one; a step a second by each, and a new connection when it is ended",
    "no poll and no page fails; p99 of polls under 100 ms from the first second on, 250 ms beside the 16 (or twice "
    "what it is in quiet, where that is more)",
    run,
    short=3,
    long=30,
)
