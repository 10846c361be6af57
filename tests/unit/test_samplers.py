from collections.abc import Callable, Iterator
from contextlib import contextmanager
from threading import Event
from threading import enumerate as enumerate_threads
from time import monotonic
from typing import Any

import pytest
from memory_hub import memory_hub

from tidegauge.ingest.samplers import Sampler, Samplers
from tidegauge.store.hub import Hub

Eventually = Callable[..., None]


@contextmanager
def running(*samplers: Sampler) -> Iterator[tuple[Hub, Samplers]]:
    hub = memory_hub(window=1000, max_series=10)
    group = Samplers(hub, samplers)
    group.start()
    yield hub, group
    group.stop()


def values(hub: Hub, name: str) -> list[float | None]:
    return [row[2] for row in hub.read(name, 0)]


def test_a_new_process_begins_with_a_gap(eventually: Eventually) -> None:
    with running(Sampler(("a",), lambda: 1, 0.1)) as (hub, _):
        eventually(lambda: len(values(hub, "a")) >= 3)
    assert values(hub, "a")[:3] == [None, 1.0, 1.0]


@pytest.mark.parametrize("result", [{"a": 1, "b": 2}, [("a", 1), ("b", 2)], iter([("a", 1), ("b", 2)])])
def test_one_call_may_yield_several_named_values(result: Any) -> None:
    assert Sampler(("a", "b"), lambda: result, 1).sample() == {"a": 1.0, "b": 2.0}


def test_a_sampler_is_reported_by_its_first_series_as_two_files_may_name_their_functions_alike() -> None:
    def vitals() -> dict[str, float]:
        return {}

    names = {Sampler((first, "b"), vitals, 1).name for first in ("apache.a", "daemon.a")}
    assert names == {"apache.a", "daemon.a"}


def test_a_name_that_was_left_out_is_a_gap() -> None:
    assert Sampler(("a", "b"), lambda: {"a": 1}, 1).sample() == {"a": 1.0, "b": None}


@pytest.mark.parametrize(
    ("result", "problem"),
    [
        ("12", "BadSample: a was given '12', which is no sample"),
        (float("nan"), "BadSample: a was given nan"),
        ({"a": 1, "z": 2}, "BadSample: a gave 'z', which it does not declare"),
    ],
)
def test_a_sampler_that_yields_rubbish_is_in_trouble_by_name(result: Any, problem: str, eventually: Eventually) -> None:
    with running(Sampler(("a",), lambda: result, 0.1)) as (hub, group):
        eventually(lambda: group.states[0].failures >= 2)
        assert group.states[0].trouble.startswith(problem)
    assert set(values(hub, "a")) == {None}


@pytest.mark.parametrize(
    ("said", "trouble"),
    [
        (["cannot open /var/lib/shop/orders.db"], "ConnectionError: cannot open orders.db"),
        ([], "ConnectionError"),
    ],
)
def test_a_raising_sampler_gets_gaps_is_logged_once_and_named_again_when_it_is_well(
    said: list[str], trouble: str, eventually: Eventually, caplog: pytest.LogCaptureFixture
) -> None:
    broken = Event()
    broken.set()

    def flaky() -> int:
        if broken.is_set():
            raise ConnectionError(*said)
        return 7

    with running(Sampler(("a",), flaky, 0.1)) as (hub, group):
        eventually(lambda: group.states[0].failures >= 3)
        assert group.states[0].trouble == trouble
        broken.clear()
        eventually(lambda: 7.0 in values(hub, "a"))
        eventually(lambda: not group.states[0].trouble)
    assert caplog.text.count("The sampler a failed") == 1
    assert caplog.text.count("The sampler a is well again") == 1


def test_a_hanging_sampler_delays_no_other_and_is_overdue(eventually: Eventually) -> None:
    hang = Event()
    with running(Sampler(("slow",), hang.wait, 0.1), Sampler(("quick",), lambda: 1, 0.1)) as (hub, group):
        eventually(lambda: len(values(hub, "quick")) >= 10)
        assert values(hub, "slow") == [None]
        assert group.states[0].overdue_s > 0.5
        assert "overdue" in group.states[0].trouble
        eventually(lambda: group.silent_s < 1)
        hang.set()


def test_an_overdue_call_leaves_a_gap_before_its_value_and_its_missed_periods_are_left_out(
    eventually: Eventually,
) -> None:
    calls: list[float] = []
    release = Event()

    def slow_once() -> int:
        calls.append(monotonic())
        if len(calls) == 2:
            release.wait(2.75)
        return len(calls)

    with running(Sampler(("a",), slow_once, 1)) as (hub, _):
        eventually(lambda: len(calls) >= 4)
        eventually(lambda: len(values(hub, "a")) >= 6)
    assert values(hub, "a")[:6] == [None, 1.0, None, 2.0, 3.0, 4.0]
    times = [row[1] for row in hub.read("a", 0)]
    assert times == sorted(times)
    on_the_grid = [round(call - calls[0]) for call in calls[:4]]
    assert on_the_grid == [0, 1, 4, 5]


@pytest.mark.quiet
def test_calls_do_not_drift(eventually: Eventually) -> None:
    calls: list[float] = []
    work = Event()

    def sample() -> int:
        calls.append(monotonic())
        work.wait(0.03)  # a schedule that slept 0.1 s between calls would be 0.03 s later each time
        return 1

    with running(Sampler(("a",), sample, 0.1)):
        eventually(lambda: len(calls) >= 25)
    # The shortest of them: a busy machine may leave periods out.
    five_periods = min(later - earlier for earlier, later in zip(calls, calls[5:], strict=False))
    assert five_periods == pytest.approx(0.5, abs=0.1)


def test_no_thread_is_left_when_samplers_are_stopped(eventually: Eventually) -> None:
    with running(Sampler(("a",), lambda: 1, 0.1)) as (hub, _):
        eventually(lambda: len(values(hub, "a")) > 1)
    assert not [one.name for one in enumerate_threads() if one.name == "sampler a"]


def test_series_past_the_cap_are_a_trouble_of_their_sampler(eventually: Eventually) -> None:
    hub = memory_hub(window=10, max_series=1)
    group = Samplers(hub, [Sampler(("a", "b"), lambda: {"a": 1, "b": 2}, 0.1)])
    group.start()
    eventually(lambda: group.states[0].trouble)
    group.stop()
    assert group.states[0].trouble == "b would be more series than TIDEGAUGE_MAX_SERIES allows"
