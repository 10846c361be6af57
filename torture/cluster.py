"""Several hosts on three NATS servers, of which one after the other fails."""

import json
import os
import signal
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from random import Random
from tempfile import TemporaryDirectory
from threading import Event, Thread
from typing import Any

import nats_servers
from feed_protocol import ModelReader
from nats_servers import Node, Servers
from served import Served

from torture.clock import of, set_clock
from torture.foreground import foreground
from torture.harness import ROOT, Found, Scenario, wait_until
from torture.load import Client, Load, load, serving

PREFIXES = ("one", "other")
DASHBOARD = """
from tidegauge import dashboard, live
from bokeh.plotting import figure

@dashboard(title="Cluster")
def cluster():
    plot = figure()
    for prefix in ("one", "other"):
        for number in range(4):
            plot.line("t", "v", source=live(f"{prefix}.{number}"))
    return plot
"""
FEED = "/feeds/cluster/"
STREAM = "tidegauge"
PAUSE_S = 10.0
WELL_S = 90.0
QUIET_S = 60.0  # at most: two windows of 10 s after the last change, and a heartbeat
REFUSED = {"503"}  # what agents send again
HOST_GONE = REFUSED | {"500", "502", "ConnectionResetError", "RemoteDisconnected"}


@dataclass
class Viewer:
    """A page that is sent to another host at every poll."""

    hosts: Sequence[Served]
    reader: ModelReader = field(default_factory=lambda: ModelReader(1000))
    polls: int = 0
    wrong: list[str] = field(default_factory=list)

    def watch(self, ended: Event) -> None:
        """Poll until the end."""
        clients = [Client(host) for host in self.hosts]
        while not ended.wait(0.2):
            self.poll(clients)

    def poll(self, clients: Sequence[Client]) -> None:
        """Take a tail from one host and, if one is wanted, a window from the other."""
        one, other = clients[self.polls % 2], clients[(self.polls + 1) % 2]
        self.polls += 1
        before = self.reader.position()
        tail = json.loads(one.ask(f"{FEED}tail.json")[1])
        if self.reader.take(tail) == "window":
            window = json.loads(other.ask(f"{FEED}window.json")[1])
            if window["epoch"] == tail["epoch"] and self.reader.replace(window) == "fresh":
                self.reader.take(tail)
        epoch, cursor = self.reader.position()
        if before[0] not in {None, epoch}:
            self.wrong.append(f"the epoch changed from {before[0]} to {epoch}")
        elif cursor < before[1]:
            self.wrong.append(f"the cursor went back from {before[1]} to {cursor}")


@dataclass
class Cluster:
    """All that runs."""

    nats: Servers
    hosts: Sequence[Served]
    found: Found
    loads: Sequence[Load] = ()

    def back(self, what: str) -> None:
        """Wait until everything is well again."""
        self.found.count(what)
        self.nats.wait_well(WELL_S)
        took = wait_until(lambda: all(host.is_ready() for host in self.hosts), WELL_S)
        self.found.expect(took < WELL_S, f"after {what} not every host was ready within {WELL_S:g} s")
        self.found.longest("from the servers' return to ready hosts, s", took)
        goes_on = wait_until(self._is_taken, WELL_S)
        self.found.expect(goes_on < WELL_S, f"after {what} no push was taken for {WELL_S:g} s")
        for running in self.loads:
            self.found.longest(f"longest time without a push that is taken, {what}, s", running.pushes.gap_s)
            running.pushes.gap_s = 0.0

    def _is_taken(self) -> bool:
        """Tell whether each host has taken a push in the last second."""
        return all(time.monotonic() - running.pushes.last < 1 for running in self.loads)


def _kill(cluster: Cluster, node: Node, what: str) -> None:
    node.kill()
    time.sleep(3)
    node.start()
    cluster.back(what)


def _each_server(cluster: Cluster, random: Random) -> None:
    for node in random.sample(cluster.nats.nodes, 3):
        _kill(cluster, node, "servers killed")


def _leader_twice(cluster: Cluster, random: Random) -> None:  # noqa: ARG001
    for _ in range(2):
        _kill(cluster, cluster.nats.leader(STREAM), "leaders killed")


def _host(cluster: Cluster, random: Random) -> None:
    host = random.choice(cluster.hosts)
    pid = host.daemon_pid
    os.kill(pid, signal.SIGKILL)
    wait_until(lambda: host.daemon_pid not in {0, pid}, 30)
    cluster.back("hosts killed")


def _partition(cluster: Cluster, random: Random) -> None:
    with cluster.nats.cut_off(cluster.nats.leader(STREAM)):
        time.sleep(random.uniform(8, 12))
    cluster.back("leaders cut off")


def _pause(cluster: Cluster, random: Random) -> None:  # noqa: ARG001
    node = cluster.nats.leader(STREAM)
    node.signal(signal.SIGSTOP)
    time.sleep(PAUSE_S)
    node.signal(signal.SIGCONT)
    cluster.back("leaders stopped for 10 s")


def _two_of_three(cluster: Cluster, random: Random) -> None:
    """Pushes are refused, in time; viewers go on with what is there."""
    gone = random.sample(cluster.nats.nodes, 2)
    for node in gone:
        node.kill()
    host = random.choice(cluster.hosts)
    took = wait_until(lambda: not host.is_ready(), 30)
    cluster.found.longest("until two lost servers of three are told by /health/ready, s", took)
    cluster.found.expect(took < 30, "a host stayed ready without two servers of three")
    for node in gone:
        node.start()
    cluster.back("losses of two servers of three")


def _whole(cluster: Cluster, random: Random) -> None:  # noqa: ARG001
    for node in cluster.nats.nodes:
        node.kill()
    for node in cluster.nats.nodes:
        node.start()
    cluster.back("restarts of the whole cluster")


FAULTS: tuple[Callable[[Cluster, Random], None], ...] = (
    _each_server,
    _leader_twice,
    _host,
    _partition,
    _pause,
    _two_of_three,
    _whole,
)


def run(rounds: int, random: Random) -> Found:
    """Let everything fail in turn, so many times; then compare the hosts."""
    found = Found()
    with TemporaryDirectory() as name, nats_servers.running(3, apart=True) as nats:
        folder = Path(name)
        folder.chmod(0o755)
        (folder / "cluster.py").write_text(DASHBOARD)
        settings = {"TIDEGAUGE_JOURNAL": nats.url, "TIDEGAUGE_DASHBOARDS": name}
        set_clock(folder / "offset", 3600)
        with (
            serving(**settings) as one,
            serving(**settings) as other,
            foreground(other, environ=of(folder / "offset")),  # whose clock is an hour ahead
        ):
            cluster = Cluster(nats, (one, other), found)
            cluster.back("starts")
            with _loaded(cluster) as (loads, viewer):
                cluster.loads = loads
                time.sleep(2)
                for _ in range(rounds):
                    for fault in FAULTS:
                        fault(cluster, random)
                        time.sleep(random.uniform(1, 2))
            _judge(cluster, loads, viewer)
    return found


@contextmanager
def _loaded(cluster: Cluster) -> Iterator[tuple[list[Load], Viewer]]:
    """Push to each host, 25 times a second, and poll; and one viewer polls both in turn."""
    rate = partial(load, pushes_per_s=25, polls_per_s=50)
    viewer, ended = Viewer(cluster.hosts), Event()
    thread = Thread(target=viewer.watch, args=(ended,))
    with rate(cluster.hosts[0], prefix=PREFIXES[0]) as one, rate(cluster.hosts[1], prefix=PREFIXES[1]) as other:
        thread.start()
        try:
            yield [one, other], viewer
        finally:
            ended.set()
            thread.join()


def _judge(cluster: Cluster, loads: Sequence[Load], viewer: Viewer) -> None:
    found = cluster.found
    took = wait_until(lambda: all(_position(host) == cluster.nats.last(STREAM) for host in cluster.hosts), QUIET_S)
    found.expect(took < QUIET_S, "a host did not have all that the stream has")
    for running in loads:
        found.count("pushes answered", running.pushes.good)
        found.count("pushes refused, which agents send again", sum(running.pushes.failed.values()))
        found.count("polls answered", running.polls.good)
        found.longest("longest wait of a push, s", running.pushes.slowest_s)
        found.expect(not running.polls.failed, f"polls failed: {dict(running.polls.failed)}")
        others = running.pushes.failed.keys() - HOST_GONE
        found.expect(not others, f"pushes failed: {dict(running.pushes.failed)}")
        for host in cluster.hosts:
            found.broken += replace(running, server=host).wrong()
    found.broken += viewer.wrong
    quiet = wait_until(lambda: _are_quiet(*(_files(host) for host in cluster.hosts)), QUIET_S)
    found.counted["until the feeds of both hosts were equal, s"] = quiet
    found.expect(quiet < QUIET_S, "the feeds of both hosts were not the same after quiet")
    one, other = (_all(host, loads) for host in cluster.hosts)
    found.expect(one == other, "the hosts have the samples in other orders, or by other numbers")
    found.counted["samples on every host"] = sum(len(rows) for rows in one)
    viewer.poll([Client(host) for host in cluster.hosts])
    shown, window = viewer.reader.columns(), _files(cluster.hosts[0])[1]
    found.counted["polls of a viewer who is sent back and forth"] = viewer.polls
    for series in window["series"]:
        drawn, there = (
            list(zip(*columns, strict=True)) for columns in (shown[series["name"]], (series["t"], series["v"]))
        )
        found.expect(
            drawn == there,
            f"the viewer who is sent back and forth shows something else of {series['name']}:"
            f" not {sorted(set(there) - set(drawn))[:9]}, but {sorted(set(drawn) - set(there))[:9]};"
            f" {len(drawn)} of {len(there)} samples, the last one {there[-1]}",
        )


def _position(host: Served) -> int:
    """Return the position of the last message that a host shows."""
    return int(host.ask("/health").json["journal"]["position"])


def _files(host: Served) -> list[Any]:
    """Return a feed's files, but for the time at which they were written."""
    return [json.loads(host.ask(f"{FEED}{name}").body) | {"time": 0} for name in ("tail.json", "window.json")]


def _are_quiet(one: list[Any], other: list[Any]) -> bool:
    """Tell whether the files are the same, and their windows have all: both may have been written at one sample."""
    return one == other and one[0]["from"] == one[0]["to"]


def _all(host: Served, loads: Sequence[Load]) -> list[list[tuple[int, int, float]]]:
    """Return number, time and value of every sample that was pushed."""
    found = []
    for name in [name for running in loads for name in running.series]:
        rows: list[tuple[int, int, float]] = []
        while True:
            page = host.ask(f"/api/series?name={name}&since={rows[-1][0] if rows else 0}").json
            if not page["v"]:
                break
            rows += zip(page["seq"], page["t"], page["v"], strict=True)
        found.append(rows)
    return found


SCENARIO = Scenario(
    18,
    "cluster",
    "two hosts, one of them an hour ahead, on three NATS servers, at 50 pushes a second: each server is killed, the"
    " leader twice, a host, the leader cut off from the others, stopped for 10 s, two of three killed, and all",
    "nothing acknowledged is lost or there twice, no poll fails, every host has the same numbers and, after quiet, the"
    " same feeds; a viewer who is sent to another host at every poll sees no hole, no repeat, no jump",
    run,
    short=1,
    long=10,
    tools=("faketime", "ip", *ROOT),
)
