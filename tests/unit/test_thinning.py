"""History: rates, and columns thinned to what a screen can show."""

from collections.abc import Sequence

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from tidegauge.store.thinning import rate, thin

Floats = NDArray[np.float64]
START, END, COLUMNS = 0, 1000, 10


def floats(values: Sequence[float]) -> Floats:
    return np.array(values, np.float64)


values = st.one_of(st.floats(-1e6, 1e6), st.just(np.nan))
samples = st.lists(st.tuples(st.integers(START, END - 1), values), max_size=400).map(
    lambda rows: (
        floats([t for t, _ in sorted(rows, key=lambda row: row[0])]),
        floats([v for _, v in sorted(rows, key=lambda row: row[0])]),
    )
)


def parts(t: Floats, v: Floats) -> dict[int, Floats]:
    """The values of each column of the screen."""
    column = t * COLUMNS // (END - START)
    return {int(one): v[column == one] for one in np.unique(column)}


@given(samples)
def test_each_column_keeps_its_first_last_lowest_and_highest_sample_and_its_gap(columns: tuple[Floats, Floats]) -> None:
    before, after = parts(*columns), parts(*thin(*columns, START, END, COLUMNS))
    assert before.keys() == after.keys()
    for column, all_ in before.items():
        left = after[column]
        assert np.isnan(all_).any() == np.isnan(left).any()
        finite, rest = all_[~np.isnan(all_)], left[~np.isnan(left)]
        assert len(finite) == 0 or (finite[0], finite[-1], finite.min(), finite.max()) == (
            rest[0],
            rest[-1],
            rest.min(),
            rest.max(),
        )


@given(samples)
def test_what_is_thinned_is_short_and_in_order(columns: tuple[Floats, Floats]) -> None:
    t, v = thin(*columns, START, END, COLUMNS)
    assert len(t) == len(v) <= max(5 * COLUMNS, 0)
    assert (np.diff(t) >= 0).all()


def test_a_rate_is_the_growth_between_two_samples_over_their_time() -> None:
    t, v = rate(floats([0, 2000, 3000]), floats([10, 30, 35]), 1)
    assert (t.tolist(), v.tolist()) == ([2000, 3000], [10, 5])


def test_a_rate_a_minute_is_sixty_times_one_a_second() -> None:
    assert rate(floats([0, 1000]), floats([0, 1]), 60)[1].tolist() == [60]


def test_a_count_that_falls_began_anew_from_zero() -> None:
    assert rate(floats([0, 1000, 2000]), floats([100, 7, 9]), 1)[1].tolist() == [7, 2]


def test_beside_a_gap_there_is_no_rate() -> None:
    assert np.isnan(rate(floats([0, 1000, 2000, 3000]), floats([1, np.nan, 5, 6]), 1)[1]).tolist() == [
        True,
        True,
        False,
    ]


def test_of_samples_of_one_time_the_last_counts() -> None:
    t, v = rate(floats([0, 1000, 1000]), floats([0, 5, 8]), 1)
    assert (t.tolist(), v.tolist()) == ([1000], [8])


def test_nothing_has_no_rate() -> None:
    assert rate(floats([]), floats([]), 1)[0].tolist() == []
    assert rate(floats([1]), floats([1]), 1)[0].tolist() == []
