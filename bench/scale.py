"""What a unit costs, whether a simulation foretells a load from that, and how many machines follow: docs/scale.md."""

import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, ExitStack
from dataclasses import dataclass
from math import ceil
from pathlib import Path

import nats_servers
import psutil
from jinja2 import Environment, StrictUndefined
from nats_servers import Servers
from served import Served

from bench import push, report, servers, wrk
from bench.open_loop import Viewers
from bench.readme import number
from bench.report import Table
from bench.simulation import Costs, Predicted, host
from bench.update import POLL

Serving = Callable[..., AbstractContextManager[Served]]
HERE = Path(__file__).parent
TEMPLATE, DOCUMENT = HERE / "scale.md.jinja", HERE.parent / "docs/scale.md"
EVERY_S = 2.0
PUSH = 1_000  # samples
VIEWERS, SAMPLES_PER_S, SINGLES_PER_S = 4_000, 20_000, 200  # by which a unit is measured
LOADS = ((1_000, 0), (8_000, 0), (16_000, 0), (0, 50_000), (8_000, 20_000), (16_000, 50_000))

POLLED, VIEWER, REST = "a poll", "a poll, at who sends it here", "a second at rest"
SINGLE, KEPT = "a push of one sample", "a sample of many, in a host's own journal"
TAKEN, STREAMED, FOLLOWED = (
    "a sample of many, at the host that it comes to",
    "in three NATS servers",
    "at another host",
)


# ---- measured ----


def costs(serving: Serving, seconds: float) -> Table:
    """Return what a unit costs of the processors, and its bytes: on the wire, in the file, in a server's store."""
    table = Table("What a unit costs", {"processor": "us", "bytes": ""}, POLLED, "processor")
    samples = SAMPLES_PER_S * seconds
    with ExitStack() as stack:
        nats = stack.enter_context(nats_servers.running(3))
        one, other = (stack.enter_context(serving(TIDEGAUGE_JOURNAL=nats.url)) for _ in range(2))
        alone = stack.enter_context(serving())
        meters = {name: servers.tidegauge(server).cpu_s for name, server in _named(one=one, other=other, alone=alone)}
        meters |= {"nats": lambda: _cpu_s(nats), "here": time.process_time}
        rest: dict[str, float] = {}

        def spent(do: Callable[[], object]) -> dict[str, float]:
            """Return processor time, s, beside what rest takes."""
            before, started = {name: read() for name, read in meters.items()}, time.monotonic()
            do()
            lasted = time.monotonic() - started
            return {name: read() - before[name] - rest.get(name, 0) * lasted for name, read in meters.items()}

        rest |= {name: value / seconds for name, value in spent(lambda: time.sleep(seconds)).items()}
        table.add(REST, processor=rest["alone"] * 1e6)

        viewers = Viewers(alone.url, POLL, VIEWERS, EVERY_S)
        took = spent(lambda: viewers.poll(seconds))
        polls = VIEWERS / EVERY_S * (seconds + EVERY_S)  # the first of each, too
        viewers.close()
        time.sleep(1)  # for the server to end the connections
        load = wrk.run(alone.url, [POLL], 1)
        table.add(POLLED, processor=took["alone"] / polls * 1e6, bytes=load.bytes / load.requests)
        table.add(VIEWER, processor=took["here"] / polls * 1e6)

        took = spent(lambda: push.paced(alone.port, 1, SINGLES_PER_S, seconds))
        table.add(SINGLE, processor=took["alone"] / SINGLES_PER_S / seconds * 1e6)
        took = spent(lambda: push.paced(alone.port, PUSH, SAMPLES_PER_S, seconds))
        table.add(KEPT, processor=took["alone"] / samples * 1e6)

        before = nats.bytes("tidegauge")
        took = spent(lambda: push.paced(one.port, PUSH, SAMPLES_PER_S, seconds))
        table.add(TAKEN, processor=took["one"] / samples * 1e6)
        stored = (nats.bytes("tidegauge") - before) / samples
        table.add(STREAMED, processor=took["nats"] / samples * 1e6, bytes=stored)
        table.add(FOLLOWED, processor=took["other"] / samples * 1e6)

        alone.command("stop")  # which leaves all in one file
        table.add(KEPT, bytes=alone.journal.stat().st_size / samples)
    return table


def _named(**servers: Served) -> Iterator[tuple[str, Served]]:
    for name, server in servers.items():
        server.wait_ready()
        yield name, server


def _cpu_s(nats: Servers) -> float:
    return sum(sum(psutil.Process(node.process.pid).cpu_times()[:2]) for node in nats.nodes if node.process)


def loads(serving: Serving, seconds: float) -> Table:
    """Return how many processors some loads keep busy, and how long a poll takes; viewers share the machine."""
    columns = {"processors": "", "p50": "ms", "p99": "ms", "failed": ""}
    table = Table("What two processors carry", columns, loaded(*LOADS[0]), "processors")
    with serving() as server:
        server.wait_ready()
        ours = servers.tidegauge(server)
        for viewers, samples_per_s in LOADS:
            load, polling = loaded(viewers, samples_per_s), Viewers(server.url, POLL, viewers, EVERY_S)
            before, started = ours.cpu_s(), time.monotonic()
            with ThreadPoolExecutor(1) as pool:
                pool.submit(push.paced, server.port, PUSH, samples_per_s, seconds + EVERY_S)
                if viewers:
                    found = polling.poll(seconds)
                    table.add(load, p50=found.p50_ms, p99=found.p99_ms, failed=found.failed)
            busy = (ours.cpu_s() - before) / (time.monotonic() - started)
            polling.close()
            time.sleep(2)  # for the server to end the connections
            table.add(load, processors=busy)
    return table


def loaded(viewers: int, samples_per_s: int) -> str:
    """Return how a load is called."""
    return f"{viewers:,} viewers, {samples_per_s:,} samples/s"


# ---- on paper ----

BUSY = 0.6  # of what a machine has; the rest is for bursts, and for the load of another that died
PROCESSORS, LINK_GBIT = 8, 10.0  # of a machine
CONNECTIONS = 1024 * 101  # a host's: Apache's threads, and AsyncRequestWorkerFactor for each (apache/httpd.conf)
PROCESSOR_MONTH, TB = 15.0, 10.0  # dollars: examples, prices differ by ten
MONTH_S = 730 * 3600
HOSTS = 4  # at most, that share a stream: each of them follows all of it
OF_VIEWERS = (1_000, 100_000, 10_000_000)
OF_SAMPLES = (10_000, 100_000, 1_000_000, 10_000_000)


@dataclass(frozen=True)
class ForViewers:
    """What so many viewers take who poll every two seconds. ``first``: what of a host is used most, and how much."""

    viewers: int
    polls_per_s: float
    processors: float
    gbit_per_s: float
    hosts: int
    first: str
    dollars: float


@dataclass(frozen=True)
class ForSamples:
    """What so many samples a second take. ``processors``: of the hosts, and of the NATS servers."""

    samples_per_s: int
    streams: int
    hosts: int
    servers: int
    processors: tuple[float, float]
    tb_per_day: float  # in each server's store
    first: str
    dollars: float


@dataclass(frozen=True)
class Checked:
    """A load: what the simulation says of it, and what was measured."""

    load: str
    predicted: Predicted
    processors: float
    p99_ms: float | None

    @property
    def times(self) -> float:
        """How many times the processors that were busy it says."""
        return self.predicted.processors / self.processors


class Paper:
    """What follows from a table of costs."""

    def __init__(self, costs: Table) -> None:
        self._costs = costs

    def us(self, unit: str) -> float:
        """Return processor time of a unit, us."""
        return self._costs.middle(unit, "processor") or 0.0

    def bytes(self, unit: str) -> float:
        """Return what a unit has."""
        return self._costs.middle(unit, "bytes") or 0.0

    def check(self, loads: Table) -> list[Checked]:
        """Return what the simulation of two processors, of which viewers take their part, says of each load."""
        found = []
        for viewers, samples_per_s in LOADS:
            costs = Costs(self.us(POLLED), self.us(KEPT), self.us(VIEWER), self.us(REST))
            predicted = host(2, costs, polls_per_s=viewers / EVERY_S, samples_per_s=samples_per_s, batch=PUSH)
            load = loaded(viewers, samples_per_s)
            busy = loads.middle(load, "processors") or 0.0
            found.append(Checked(load, predicted, busy, loads.middle(load, "p99") if viewers else None))
        return found

    def crowded(self, busy: float) -> Predicted:
        """Return how a host serves whose viewers alone keep so much of it busy."""
        cost = self.us(POLLED)
        return host(PROCESSORS, Costs(cost, 0), polls_per_s=busy * PROCESSORS / cost * 1e6, seconds=0.5)

    def for_viewers(self, viewers: int) -> ForViewers:
        """Return what so many viewers take; one host more than needed, for the day on which one dies."""
        polls = viewers / EVERY_S
        processors, gbit = polls * self.us(POLLED) / 1e6, polls * self.bytes(POLLED) * 8 / 1e9
        parts = {
            "connections": viewers / CONNECTIONS,
            "processors": processors / PROCESSORS / BUSY,
            "network": gbit / LINK_GBIT / BUSY,
        }
        hosts = ceil(max(parts.values())) + 1
        bought = hosts * min(PROCESSORS, max(2, ceil(processors / (hosts - 1) / BUSY)))
        dollars = bought * PROCESSOR_MONTH + gbit / 8 * MONTH_S / 1000 * TB
        return ForViewers(viewers, polls, processors, gbit, hosts, _first(parts, hosts - 1), dollars)

    def for_samples(self, samples_per_s: int) -> ForSamples:
        """Return what so many samples take, in batches, with three servers or more and two hosts or more a stream."""

        def streams_by(hosts: int) -> int:
            return ceil(samples_per_s / self.of_a_stream(hosts))

        hosts = min(range(2, HOSTS + 1), key=lambda hosts: hosts * streams_by(hosts))
        streams = streams_by(hosts)
        python = self.interpreter(samples_per_s / streams, hosts)
        stored = samples_per_s * self.us(STREAMED) / 1e6
        servers = max(3, ceil(stored / PROCESSORS / BUSY))
        parts = {"interpreter of a host": python / BUSY, "processors of NATS": stored / servers / PROCESSORS / BUSY}
        bought = streams * hosts * 2 + servers * max(2, ceil(stored / servers / BUSY))
        return ForSamples(
            samples_per_s,
            streams,
            streams * hosts,
            servers,
            (python * hosts * streams, stored),
            samples_per_s * self.bytes(STREAMED) * 3 / servers * 86_400 / 1e12,
            _first(parts, 1),
            bought * PROCESSOR_MONTH,
        )

    def interpreter(self, samples_per_s: float, hosts: int) -> float:
        """Return how much of a host's one interpreter a stream keeps busy that so many hosts share."""
        return samples_per_s * (self.us(TAKEN) + (hosts - 1) * self.us(FOLLOWED)) / hosts / 1e6

    def of_a_stream(self, hosts: int) -> float:
        """Return how many samples a second a stream may bring that so many hosts share."""
        return BUSY / self.interpreter(1, hosts)


def _first(parts: dict[str, float], hosts: int) -> str:
    name = max(parts, key=lambda part: parts[part])
    return f"{name}, {parts[name] / hosts:.0%}"


def document(tables: dict[str, Table]) -> str:
    """Return docs/scale.md, as Markdown."""
    environment = Environment(undefined=StrictUndefined, trim_blocks=True, keep_trailing_newline=True)  # noqa: S701 - no HTML
    environment.filters["number"] = number
    paper = Paper(tables["costs"])
    said: str = environment.from_string(TEMPLATE.read_text("utf-8")).render(
        paper=paper,
        costs=tables["costs"],
        update=tables["update"],
        checks=paper.check(tables["loads"]),
        viewers=[paper.for_viewers(one) for one in OF_VIEWERS],
        samples=[paper.for_samples(one) for one in OF_SAMPLES],
        here=globals(),
    )
    return said


def write() -> None:
    """Bring docs/scale.md up to date."""
    DOCUMENT.write_text(document(report.load()), "utf-8")
