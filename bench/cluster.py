"""Pushes through three NATS servers, beside a journal of the host's own; how soon another host has them; history."""

import asyncio
import json
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack
from http.client import HTTPConnection
from urllib.parse import quote

import nats
import nats_servers
from served import Served

from bench import push, wrk
from bench.report import Table
from bench.wrk import Request
from tidegauge.store.journal.jetstream import message
from tidegauge.store.journal.jetstream.connection import Server
from tidegauge.store.journal.jetstream.consumer import follow

ALONE = "a journal of its own"
AGENTS = 8
ONE = "cpu.value{host=h1}"
COPY, STREAM = "from the host's copy", "from the stream"
Serving = Callable[..., AbstractContextManager[Served]]


def rates(serving: Serving, rounds: int, batches: int, seconds: float) -> Table:
    """Return samples a second in batches of 5,000, and pushes of one sample a second, kept when they are answered."""
    columns = {"batches": "samples/s", "singles": "pushes/s", "p99": "ms"}
    table = Table("Samples in, through three NATS servers", columns, ALONE, "batches")
    single = Request("/api/series", "POST", push.AUTH, b'{"name": "single", "value": 1.5}')
    with ExitStack() as stack:
        servers = stack.enter_context(nats_servers.running(3))
        found = {ALONE: stack.enter_context(serving())}
        found["three NATS servers"] = stack.enter_context(serving(TIDEGAUGE_JOURNAL=servers.url))
        for server in found.values():
            server.wait_ready()
            push.lines(server.port, batches=AGENTS, agents=AGENTS)
        for _ in range(rounds):
            for name, server in found.items():
                rate = push.lines(server.port, batches=batches, agents=AGENTS)
                load = wrk.run(server.url, [single], seconds, connections=16)
                table.add(name, batches=rate, singles=load.per_s, p99=load.p99_ms)
    return table


def reach(serving: Serving, probes: int, dashboards: str) -> Table:
    """Return ms from the answer of a push to one host to its presence in the feed of another."""
    table = Table("From a push's answer to another host's feed", {"p50": "ms", "p99": "ms"}, push.BUDGET, "p99")
    with ExitStack() as stack:
        servers = stack.enter_context(nats_servers.running(3))
        settings = {"TIDEGAUGE_JOURNAL": servers.url, "TIDEGAUGE_DASHBOARDS": dashboards}
        one, other = (stack.enter_context(serving(**settings)) for _ in range(2))
        for server in (one, other):
            server.wait_ready()
        waits = sorted(_waits(one, other, probes))
    table.add(push.BUDGET, p99=900.0)  # publish_ms and 400 ms
    table.add("Tidegauge", p50=waits[probes // 2], p99=waits[probes * 99 // 100 - 1])
    return table


def _waits(one: Served, other: Served, probes: int) -> Iterator[float]:
    connection = HTTPConnection("127.0.0.1", one.port, timeout=60)
    feed = [other.run / "feeds/many" / file for file in ("tail.json", "window.json")]
    for number in range(probes):
        value = number + 1_000_000.5
        body = json.dumps({"name": "load.value{host=h0}", "value": value}).encode()
        push.post(connection, "/api/series", body)
        answered = time.perf_counter()
        while not any(f"{value}" in file.read_text() for file in feed):
            time.sleep(0.002)
        yield (time.perf_counter() - answered) * 1000
        time.sleep(0.05 + number % 10 / 20)  # at any moment of the publisher's round


def history(serving: Serving, rounds: int, batches: int) -> Table:
    """Return ms to read one series of 1,000 out of so many batches of 5,000: from a host's copy, or from the stream."""
    table = Table("History of one series of 1,000", {"time": "ms", "samples": ""}, COPY, "time")
    with nats_servers.running(3) as servers, serving(TIDEGAUGE_JOURNAL=servers.url) as server:
        server.wait_ready()
        push.lines(server.port, batches=batches)
        for _ in range(rounds):
            started = time.perf_counter()
            answer = server.ask(f"/api/feed?series={quote(ONE)}&span_s=31536000&columns=4000")
            found = len(answer.json["series"][0]["t"])
            table.add(COPY, time=(time.perf_counter() - started) * 1000, samples=found)
            started = time.perf_counter()
            found = asyncio.run(_of_stream(servers.urls[0]))
            table.add(STREAM, time=(time.perf_counter() - started) * 1000, samples=found)
    return table


async def _of_stream(url: str) -> int:
    """Return how many samples of a series there are; in every message there may be some."""
    client = await nats.connect(url)
    found = 0
    async for messages, behind in follow(Server(client, client.jetstream()), "tidegauge", 1):
        for one in messages:
            if one.subject == message.BATCH:
                found += sum(name == ONE for name, _, _ in message.samples(one))
        if not behind:
            break
    await client.close()
    return found
