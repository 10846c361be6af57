"""A host as a queue: processors that polls and pushes share, and one interpreter. The kernel is left out."""

from collections.abc import Generator
from dataclasses import dataclass
from random import Random
from typing import Any

import simpy

SLICE_S = 0.001  # of a processor, before another may have it; also sys.setswitchinterval
WARM_UP_S = 0.5
Steps = Generator[simpy.Event, Any, None]


@dataclass(frozen=True)
class Costs:
    """Processor time, us.

    Args:
        poll: of an answer.
        sample: of a sample in a batch, in Python, one at a time.
        viewer: of whoever sends a poll and reads the answer, one at a time; 0 where that is another machine.
        rest: of a second in which nothing comes.
    """

    poll: float
    sample: float
    viewer: float = 0.0
    rest: float = 0.0


@dataclass(frozen=True)
class Predicted:
    """What comes of it: ``processors`` that the host has busy on average, and ms from a poll's time to its answer."""

    processors: float
    p50_ms: float
    p99_ms: float


class _Host:
    def __init__(self, processors: int, costs: Costs, slice_s: float) -> None:
        self.env = simpy.Environment()
        self.costs = costs
        self.slice_s = slice_s
        self.processors = simpy.Resource(self.env, processors)
        self.interpreter = simpy.Resource(self.env, 1)
        self.viewer = simpy.Resource(self.env, 1)
        self.random = Random(1)
        self.busy_s = 0.0
        self.waits: list[float] = []

    def work(self, us: float, *, counts: bool = True) -> Steps:
        left = us / 1e6
        while left > 0:
            part = min(left, self.slice_s)
            with self.processors.request() as turn:
                yield turn
                yield self.env.timeout(part)
            left -= part
            self.busy_s += part * counts

    def alone(self, who: simpy.Resource, us: float, *, counts: bool = True) -> Steps:
        with who.request() as turn:
            yield turn
            yield from self.work(us, counts=counts)

    def poll(self) -> Steps:
        due = self.env.now
        yield from self.alone(self.viewer, self.costs.viewer / 2, counts=False)
        yield from self.work(self.random.expovariate(1 / self.costs.poll))
        yield from self.alone(self.viewer, self.costs.viewer / 2, counts=False)
        self.waits.append(self.env.now - due)

    def polls(self, per_s: float) -> Steps:
        while True:
            self.env.process(self.poll())
            yield self.env.timeout(self.random.expovariate(per_s))

    def pushes(self, batch: int, per_s: float) -> Steps:
        while True:
            self.env.process(self.alone(self.interpreter, batch * self.costs.sample))
            yield self.env.timeout(1 / per_s)

    def rest(self) -> Steps:
        while True:
            yield from self.alone(self.interpreter, self.costs.rest / 10)
            yield self.env.timeout(0.1)


def host(
    processors: int, costs: Costs, *, polls_per_s: float, samples_per_s: float = 0, batch: int = 1000,
    seconds: float = 2.0, slice_s: float = SLICE_S,
) -> Predicted:  # fmt: skip
    """Play so many seconds on a host of so many processors. Polls come at random moments, batches evenly."""
    one = _Host(processors, costs, slice_s)
    if polls_per_s:
        one.env.process(one.polls(polls_per_s))
    if samples_per_s:
        one.env.process(one.pushes(batch, samples_per_s / batch))
    if costs.rest:
        one.env.process(one.rest())
    one.env.run(WARM_UP_S)
    one.busy_s, one.waits = 0.0, []
    one.env.run(WARM_UP_S + seconds)
    waits = sorted(one.waits) or [0.0]
    return Predicted(
        one.busy_s / seconds, waits[len(waits) // 2] * 1000, waits[min(len(waits) * 99 // 100, len(waits) - 1)] * 1000
    )
