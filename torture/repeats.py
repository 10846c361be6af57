"""Agents that do not hear the answer: every batch is sent three times, by several connections, and cut in between."""

import json
import socket
import struct
import time
from collections import Counter
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from http.client import HTTPException
from queue import Empty, SimpleQueue
from random import Random
from threading import Thread

from served import Served

from torture.harness import Found, Scenario
from torture.load import AUTH, Client, serving

SERIES = [f"torture.repeats{{n={number}}}" for number in range(20)]
CONNECTIONS = 6
# A repeat is seen by its request, of which the journal remembers 10,000; what is said in other words, by a sample's
# being in the window, the newest 1,000 of a series: 100 batches bring some 130.
NEAR, FAR = 100, 3_000  # batches
JSON, LINES, NS = "/api/series", "/api/v2/write?precision=ms", "/api/v2/write"
CUTS = ("within the body", "before the answer", "by a reset", "within the answer")
Sample = tuple[str, int, float | None]  # series, ms since the Unix epoch, value or None: a gap


@dataclass(frozen=True)
class Sending:
    """One request, and where its connection is cut; "": its answer is waited for."""

    url: str
    body: bytes
    cut: str = ""


def run(rounds: int, random: Random) -> Found:
    """Send so many batches three times each, and read everything back."""
    found = Found()
    batches = _batches(rounds, random)
    sendings = _sendings(batches, random)
    with serving() as server:
        _send(server, sendings, random, found)
        there = Counter(one for name in SERIES for one in _read(server, name))
    _judge(batches, there, found)
    return found


def _batches(rounds: int, random: Random) -> list[list[Sample]]:
    """Return batches that share some samples with those before them, and times with all around them."""
    start = time.time_ns() // 1_000_000 - rounds * 1000
    batches: list[list[Sample]] = []
    for at in range(rounds):
        batch: list[Sample] = []
        for _ in range(random.randint(1, 50)):
            value = None if random.random() < 0.05 else random.randrange(-200, 200) / 4
            batch.append((random.choice(SERIES), start + at * 1000 + random.randrange(0, 2000, 100), value))
        if batches and random.random() < 0.3:  # in part what another one has
            other = random.choice(batches[-10:])
            batch += random.sample(other, random.randint(1, len(other)))
        if random.random() < 0.2:
            name, at_ms, value = random.choice(batch)
            batch += [(name, at_ms, value), (name, at_ms, (value or 0.0) + 0.5)]  # the same, and another at its time
        random.shuffle(batch)
        batches.append(batch)
    return batches


def _sendings(batches: Sequence[Sequence[Sample]], random: Random) -> list[Sending]:
    """Return three of each batch, of which one at least is whole, shuffled over some distance."""
    placed = []
    for at, batch in enumerate(batches):
        whole = _say(batch, random)
        for copy in range(3):
            is_same = random.random() < 0.7
            one = whole if copy == 0 or is_same else _say(batch, random)
            if copy and random.random() < 0.7:
                one = Sending(one.url, one.body, random.choice(CUTS))
            # Far off only what surely came before: the request that is answered.
            is_far = copy == 2 and is_same and random.random() < 0.2
            placed.append((at + (random.uniform(NEAR, FAR) if is_far else random.uniform(0, NEAR)), copy, one))
        if random.random() < 0.3:  # all three at once
            placed[-3:] = [(placed[-3][0], copy, one) for _, copy, one in placed[-3:]]
    return [one for _, _, one in sorted(placed, key=lambda place: place[0])]


def _say(batch: Sequence[Sample], random: Random) -> Sending:
    """Return the request of a batch, in one of the formats."""
    url = random.choice([JSON, JSON, LINES, NS])
    if url == JSON or any(value is None for _, _, value in batch):  # a gap has no words in line protocol
        said = [{"name": name, "time": at, "value": value} for name, at, value in batch]
        return Sending(JSON, json.dumps(said).encode())
    ns = 1_000_000 if url == NS else 1
    lines = []
    for name, at, value in batch:
        measurement, _, rest = name.partition(".")
        field, _, tag = rest.rstrip("}").partition("{")
        lines.append(f"{measurement},{tag} {field}={value} {at * ns}")
    return Sending(url, "\n".join(lines).encode())


def _send(server: Served, sendings: Sequence[Sending], random: Random, found: Found) -> None:
    queue: SimpleQueue[Sending] = SimpleQueue()
    for one in sendings:
        queue.put(one)
    outcomes: list[Counter[str]] = [Counter() for _ in range(CONNECTIONS)]
    seeds = [random.getrandbits(64) for _ in range(CONNECTIONS)]
    threads = [
        Thread(target=_send_some, args=(server, queue, outcome, Random(seed)))
        for outcome, seed in zip(outcomes, seeds, strict=True)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for what, count in sorted(sum(outcomes, Counter()).items()):
        found.count(what, count)
        found.expect(not what.startswith("failed"), f"{count} requests {what}")


def _send_some(server: Served, queue: SimpleQueue[Sending], outcome: Counter[str], random: Random) -> None:
    client = Client(server)
    while True:
        try:
            one = queue.get_nowait()
        except Empty:
            client.close()
            return
        if one.cut:
            _cut(server, one, random)
            outcome[f"cut {one.cut}"] += 1
            continue
        try:
            status: int | str = client.ask(one.url, "POST", one.body, **AUTH)[0]
        except (OSError, HTTPException) as error:
            status = type(error).__name__
        outcome["answered with success" if status in {200, 204} else f"failed: {status}"] += 1


def _cut(server: Served, one: Sending, random: Random) -> None:
    """Send the request on a connection of its own, and close that without its answer."""
    head = f"POST {one.url} HTTP/1.1\r\nHost: localhost\r\nContent-Length: {len(one.body)}\r\n"
    head += "".join(f"{name}: {value}\r\n" for name, value in AUTH.items()) + "\r\n"
    end = random.randrange(len(one.body)) if one.cut == "within the body" else len(one.body)
    with socket.create_connection(("127.0.0.1", server.port), timeout=30) as connection, suppress(OSError):
        connection.sendall(head.encode() + one.body[:end])
        if one.cut == "within the answer":
            connection.recv(random.randint(1, 40))
        elif random.random() < 0.5:
            time.sleep(random.uniform(0, 0.01))  # so that the answer is on its way
        if one.cut == "by a reset":
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))


def _read(server: Served, name: str) -> list[Sample]:
    """Return every sample of a series."""
    client, samples, url = Client(server), list[Sample](), f"/api/series?name={name}&since="
    cursor = 0
    while True:
        status, body = client.ask(f"{url}{cursor}")
        assert status == 200, body
        page = json.loads(body)
        if not page["v"]:
            return samples
        samples += [(name, *row) for row in zip(page["t"], page["v"], strict=True)]
        cursor = page["to"]


def _judge(batches: Sequence[Sequence[Sample]], there: Counter[Sample], found: Found) -> None:
    sent = {one for batch in batches for one in batch}
    found.count("batches", len(batches))
    found.count("samples in them", sum(map(len, batches)))
    found.count("samples in them, unlike each other", len(sent))
    found.count("samples read back", there.total())
    for what, wrong in {
        "are missing": sent - there.keys(),
        "are there that nobody sent": there.keys() - sent,
        "are there more than once": {one for one, count in there.items() if count > 1},
    }.items():
        found.expect(not wrong, f"{len(wrong)} samples {what}: {sorted(map(repr, wrong))[:5]}")


SCENARIO = Scenario(
    14,
    "repeats",
    "every batch is sent three times, in JSON and line protocol, shuffled, by 6 connections at once; some overlap in"
    " part; connections are cut within the body, before and within the answer",
    "the samples that were sent are there, each once",
    run,
    short=300,
    long=10_000,
)
