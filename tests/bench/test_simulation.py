"""The simulated host, held against what queueing theory says of it."""

from math import log

import pytest

from bench.simulation import Costs, host

COST_US = 500


@pytest.mark.parametrize("busy", [0.3, 0.6, 0.8])
def test_one_processor_is_the_textbooks_queue(busy: float) -> None:
    """M/M/1: the time in the system is exponential, with the rate that is left."""
    polls_per_s = busy / COST_US * 1e6
    # Without slices, by which what takes long lets others pass.
    found = host(1, Costs(COST_US, 0), polls_per_s=polls_per_s, seconds=60, slice_s=1)
    left_per_ms = (1e6 / COST_US - polls_per_s) / 1000
    assert found.processors == pytest.approx(busy, rel=0.05)
    assert found.p50_ms == pytest.approx(log(2) / left_per_ms, rel=0.15)
    assert found.p99_ms == pytest.approx(log(100) / left_per_ms, rel=0.25)


def test_more_than_it_can_do_waits_ever_longer() -> None:
    shorter, longer = (host(2, Costs(COST_US, 0), polls_per_s=5_000, seconds=seconds) for seconds in (1, 4))
    assert shorter.processors == pytest.approx(2, rel=0.01)
    assert longer.p99_ms > 2 * shorter.p99_ms > 100


def test_pushes_take_one_processor_at_most() -> None:
    alone = host(4, Costs(COST_US, 10), polls_per_s=0, samples_per_s=400_000)
    assert alone.processors == pytest.approx(1, rel=0.05)
    beside = host(4, Costs(COST_US, 10), polls_per_s=2_000, samples_per_s=400_000)
    assert beside.processors == pytest.approx(2, rel=0.05)
    assert beside.p99_ms < 10


def test_who_polls_takes_a_part_of_the_processors_that_does_not_count() -> None:
    found = host(2, Costs(COST_US, 0, viewer=200, rest=50_000), polls_per_s=1_000, seconds=10)
    assert found.processors == pytest.approx(0.55, rel=0.05)
    assert found.p50_ms > 0.5
