"""Any interleaving of writes, restarts, bursts and sleeping readers: no hole, no repeat, nothing out of order."""

from feed_protocol import BEHIND, ModelReader, Step, play, steps
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

between = st.lists(st.integers(-1, 1), max_size=30)
slow = settings(suppress_health_check=[HealthCheck.too_slow])


@slow
@example(BEHIND, [], 1000)
@given(steps(late=False), between, st.sampled_from([10, 50, 1000]))
def test_a_reader_has_exactly_what_the_window_has_when_samples_come_in_order(
    steps: list[Step], between: list[int], window: int
) -> None:
    play(window, ModelReader, steps, between)


@slow
@given(steps(late=True), between)
def test_late_samples_are_drawn_in_the_order_of_their_times(steps: list[Step], between: list[int]) -> None:
    play(100_000, ModelReader, steps, between)
