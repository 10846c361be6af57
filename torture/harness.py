"""What a scenario is, and what came of it."""

import os
from collections.abc import Callable
from dataclasses import dataclass, field
from random import Random
from time import monotonic, sleep

# For the tools of a scenario that only root can run. There is no such program: another user lacks it.
ROOT = () if os.geteuid() == 0 else ("root",)


@dataclass
class Found:
    """What came of a scenario.

    Args:
        counted: figures by what they are of, units included: "longest stall, s".
        broken: what did not hold, a sentence each.
        late: what held, but not at once or not in the time that is promised: no failure of ``make test``, where others
            compute, too.
    """

    counted: dict[str, float] = field(default_factory=dict)
    broken: list[str] = field(default_factory=list)
    late: list[str] = field(default_factory=list)

    def count(self, what: str, by: float = 1) -> None:
        """Add to a figure."""
        self.counted[what] = self.counted.get(what, 0) + by

    def longest(self, what: str, value: float) -> None:
        """Keep the highest value of a figure."""
        self.counted[what] = max(self.counted.get(what, 0.0), value)

    def expect(self, holds: object, otherwise: str) -> None:
        """Note *otherwise* as broken unless something holds."""
        if not holds:
            self.broken.append(otherwise)

    def expect_in_time(self, holds: object, otherwise: str) -> None:
        """Note *otherwise* as late unless something holds."""
        if not holds:
            self.late.append(otherwise)


@dataclass(frozen=True)
class Scenario:
    """One row of the table.

    Args:
        number: its row.
        name: what it is called on the command line.
        done: what is done, in words.
        promise: what must hold.
        run: does it: takes the number of rounds and a source of randomness.
        short, long: rounds in ``make test`` and in ``make torture``.
        tools: programs that it needs.
    """

    number: int
    name: str
    done: str
    promise: str
    run: Callable[[int, Random], Found]
    short: int
    long: int
    tools: tuple[str, ...] = ()


def wait_until(condition: Callable[[], object], within_s: float) -> float:
    """Return after how many seconds *condition* came true; inf if it did not in time."""
    started = monotonic()
    while not condition():
        if monotonic() - started > within_s:
            return float("inf")
        sleep(0.01)
    return monotonic() - started
