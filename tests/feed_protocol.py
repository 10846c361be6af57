"""The feed's protocol, played out: a real hub, two hosts that publish it, and readers that ask either at any moment.

The reader is exchangeable: the model below, or the one that runs in browsers (tests/browser).
"""

import json
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol
from unittest import mock

from hypothesis import strategies as st
from memory_hub import memory_hub

from tidegauge.publish.feed import Encoder
from tidegauge.publish.folder import ServedFolder
from tidegauge.publish.publisher import Feed, Publisher

SERIES = ("a", "b")
Columns = dict[str, list[list[float]]]  # series -> [t, v]


class Reader(Protocol):
    """What a page does with a feed's files, without the network."""

    def take(self, tail: dict[str, Any]) -> str:
        """Take a tail; returns "window" when window.json must be fetched."""

    def replace(self, window: dict[str, Any]) -> str:
        """Take a window.json; returns "old" for one that shows less than the reader has."""

    def columns(self) -> Columns:
        """What is drawn."""

    def position(self) -> tuple[str | None, int]:
        """The epoch and the cursor."""


class ModelReader:
    """A reader in the fewest words, after the rules of the feed."""

    def __init__(self, size: int) -> None:
        self.size = size
        self.epoch: str | None = None
        self.cursor = -1
        self.drawn: Columns = {}

    def take(self, tail: dict[str, Any]) -> str:
        if tail["epoch"] != self.epoch or self.cursor < tail["from"]:
            return "window"
        if tail["to"] < self.cursor:
            return "old"
        drawn = {name: [list(t), list(v)] for name, (t, v) in self.drawn.items()}
        for one in tail["series"]:
            rows = list(zip(*drawn.get(one["name"], [[], []]), strict=True))
            rows += [
                (time, value)
                for seq, time, value in zip(one["seq"], one["t"], one["v"], strict=True)
                if seq > self.cursor
            ]
            rows.sort(key=lambda row: row[0])
            drawn[one["name"]] = [list(column) for column in zip(*rows[-self.size :], strict=True)] or [[], []]
        self.drawn, self.cursor = drawn, tail["to"]
        return "fresh"

    def replace(self, window: dict[str, Any]) -> str:
        if window["epoch"] == self.epoch and window["to"] < self.cursor:
            return "old"
        self.epoch, self.cursor = window["epoch"], window["to"]
        self.drawn = {one["name"]: [one["t"], one["v"]] for one in window["series"]}
        return "fresh"

    def columns(self) -> Columns:
        return self.drawn

    def position(self) -> tuple[str | None, int]:
        return self.epoch, self.cursor


@dataclass(frozen=True)
class Append:
    series: str
    count: int
    step: int  # ms from one sample's time to the next; below 0: they come late


@dataclass(frozen=True)
class Publish:
    after_s: float
    host: int


@dataclass(frozen=True)
class Poll:
    reader: int
    stale: int  # how many tails ago the copy was made that it gets
    host: int  # that is asked for the tail
    other: int  # that is asked for the window, if one is wanted


@dataclass(frozen=True)
class Restart:
    pass


Step = Append | Publish | Poll | Restart


# A reader has less than one host's tail, which a burst has cut short, and more than the other host's window.
BEHIND = [Append("a", 5, 1), Publish(0.5, 0), Poll(0, 0, 0, 0), Append("a", 2500, 1), Publish(0.5, 0), Poll(0, 0, 0, 1)]


def steps(*, late: bool) -> st.SearchStrategy[list[Step]]:
    """Any interleaving of writes, bursts, restarts, and readers that poll, sleep, or get an older copy."""
    time_steps = st.integers(-3, 3) if late else st.integers(0, 3)
    hosts = st.integers(0, 1)
    counts = st.integers(1, 30) | st.sampled_from([100, 2500])
    return st.lists(
        st.builds(Append, st.sampled_from(SERIES), counts, time_steps)
        | st.builds(Publish, st.sampled_from([0.5, 3.0, 6.0, 11.0]), hosts)
        | st.builds(Poll, st.integers(0, 1), st.sampled_from([0, 0, 0, 1, 2]), hosts, hosts)
        | st.just(Restart()),
        max_size=40,
    )


@dataclass
class Host:
    """What one of the hosts publishes, and every tail that it has published."""

    folder: Path
    publisher: Publisher
    feed: Feed
    tails: list[bytes]


class Play:
    """One run: asserts after every poll that a reader has no hole, no repeat, and nothing out of order."""

    def __init__(self, folder: Path, window: int, make_reader: Callable[[int], Reader], between: list[int]) -> None:
        self.folder = folder
        self.window = window
        self.readers = [make_reader(window), make_reader(window)]
        self.between = between  # which reader polls after each replaced file; -1: none
        self.now = 1000.0
        self.time_ms = 10**12
        self.hosts: list[Host] = []
        self.open()

    def open(self) -> None:
        self.hub = memory_hub(window=self.window, max_series=10)
        self.hub.windows.declare(SERIES)
        self.hosts = [self.open_host(number) for number in (0, 1)]

    def open_host(self, number: int) -> Host:
        folder = self.folder / f"host{number}" / "feeds"
        encoder = Encoder(self.hub, build="b", poll_ms=2000)
        publisher = Publisher(self.hub, ServedFolder(folder), {"x": SERIES}, {}, encoder=encoder, publish_ms=500)
        with mock.patch.object(publisher, "_thread"):  # the rounds are called here, by the steps
            publisher.start()
        return Host(folder / "x", publisher, publisher._feeds[0], [])

    def run(self, steps: list[Step]) -> None:
        for step in steps:
            match step:
                case Append(series, count, step_ms):
                    batch: list[tuple[str, int, float | None]] = []
                    for _ in range(count):
                        self.time_ms += step_ms
                        batch.append((series, self.time_ms, float(self.hub.windows.newest + len(batch) + 1)))
                    self.hub.append(batch)
                case Publish(after_s, host):
                    self.now += after_s
                    self.publish(self.hosts[host])
                case Poll(reader, stale, host, other):
                    self.poll(reader, stale, self.hosts[host], self.hosts[other])
                case Restart():
                    self.open()
        self.settle()

    def settle(self) -> None:
        """After some quiet both hosts publish the same, and both readers have it."""
        for _ in range(6):
            self.now += 6
            for host in self.hosts:
                self.publish(host)
        for file in ("tail.json", "window.json"):
            one, other = (json.loads((host.folder / file).read_bytes()) | {"time": 0} for host in self.hosts)
            assert one == other
        for reader in (0, 1):
            for host in self.hosts:
                self.poll(reader, 0, host, host)
            assert self.readers[reader].position() == (self.hub.journal.epoch, self.hub.windows.snapshot(SERIES).to)
            self.check(self.readers[reader])

    def publish(self, host: Host) -> None:
        served = host.publisher._folder
        replace = served.replace

        def replace_then_poll(path: str, body: bytes) -> None:
            replace(path, body)
            if self.between and (reader := self.between.pop()) >= 0:
                self.poll(reader, 0, host, host)

        with mock.patch.object(served, "replace", replace_then_poll):
            host.publisher.publish(host.feed)
        tail = (host.folder / "tail.json").read_bytes()
        if not host.tails or host.tails[-1] != tail:
            host.tails.append(tail)

    def poll(self, number: int, stale: int, host: Host, other: Host) -> None:
        reader = self.readers[number]
        body = (host.folder / "tail.json").read_bytes()
        if stale and len(host.tails) > stale:
            body = host.tails[-1 - stale]
        tail = json.loads(body)
        before = reader.position()
        if reader.take(tail) == "window":
            window = json.loads((other.folder / "window.json").read_bytes())
            assert window["epoch"] != tail["epoch"] or window["to"] >= tail["from"] or stale or host is not other
            if window["epoch"] != tail["epoch"] or reader.replace(window) == "old":
                return
            reader.take(tail)
        epoch, cursor = reader.position()
        assert epoch != before[0] or cursor >= before[1], "a cursor went back"
        self.check(reader)

    def check(self, reader: Reader) -> None:
        epoch, cursor = reader.position()
        if epoch != self.hub.journal.epoch:
            return
        for one in self.hub.windows.snapshot(SERIES).series:
            t, v = reader.columns().get(one.name, [[], []])
            assert t == sorted(t), "a line runs backwards"
            assert len(set(v)) == len(v), "a sample was drawn twice"
            expected = {seq for seq in one.columns.seq if seq <= cursor}
            assert expected <= {int(value) for value in v}, "a hole"
            assert all(value <= cursor for value in v), "a number before a smaller one"
            assert len(v) <= self.window


def play(window: int, make_reader: Callable[[int], Reader], steps: list[Step], between: list[int]) -> None:
    """Play *steps* in a fresh folder, with the publisher's clock held in hand."""
    with tempfile.TemporaryDirectory() as folder:
        clock = {"play": 1000.0}
        with mock.patch("tidegauge.publish.publisher.monotonic", lambda: clock["play"]):
            one = Play(Path(folder), window, make_reader, list(between))
            run = one.publish

            def publish(host: Host) -> None:
                clock["play"] = one.now
                run(host)

            one.publish = publish  # type: ignore[method-assign]
            one.run(steps)
