import math
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tidegauge.errors import BadSample, CursorAhead
from tidegauge.store.series import Columns, Window, check_cursor, check_reading


@given(size=st.integers(1, 40), count=st.integers(0, 200), cursor=st.integers(0, 250))
def test_a_window_has_the_newest_samples_after_the_cursor(size: int, count: int, cursor: int) -> None:
    window = Window(size)
    for seq in range(1, count + 1):
        window.append(seq, 1000 + seq, float(seq))
    kept = range(max(1, count - size + 1), count + 1)
    assert list(window.since(cursor).seq) == [seq for seq in kept if seq > cursor]
    assert window.newest == count
    assert window.evicted == max(0, count - size)


@given(st.lists(st.integers(1, 10**6), unique=True, min_size=1), st.integers(1, 20))
def test_sequence_numbers_need_not_be_contiguous(numbers: list[int], size: int) -> None:
    numbers.sort()
    window = Window(size)
    for seq in numbers:
        window.append(seq, seq, None)
    assert list(window.since(0).seq) == numbers[-size:]
    assert window.evicted == (numbers[-size - 1] if len(numbers) > size else 0)


def test_a_gap_is_kept_as_nan() -> None:
    window = Window(10)
    window.append(1, 5, None)
    assert math.isnan(window.since(0).v[0])


def test_what_a_window_returned_does_not_change_when_it_grows() -> None:
    window = Window(10)
    window.append(1, 5, 1.0)
    columns = window.since(0)
    window.append(2, 6, 2.0)
    assert list(columns.seq) == [1]


@given(st.lists(st.integers(0, 5)))
def test_sorting_by_time_keeps_the_order_of_equal_times(times: list[int]) -> None:
    columns = Columns(list(range(len(times))), times, [float(time) for time in times]).by_time()
    assert list(columns.seq) == [seq for _, seq in sorted(zip(times, range(len(times)), strict=True))]
    assert list(columns.v) == [float(time) for time in columns.t]


def test_a_cursor_above_the_newest_number_comes_from_another_epoch() -> None:
    check_cursor(7, 7)
    with pytest.raises(CursorAhead) as raised:
        check_cursor(8, 7)
    assert (raised.value.cursor, raised.value.newest) == (8, 7)


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf, "12", b"1", [], object(), 1j])
def test_what_is_no_sample_is_refused_by_name(value: object) -> None:
    with pytest.raises(BadSample, match=r"room was given .* Give a finite number, or None for a gap"):
        check_reading("room", 1, value)


@pytest.mark.parametrize(("value", "kept"), [(True, 1.0), (3, 3.0), (Decimal("2.5"), 2.5), (None, None)])
def test_numbers_of_other_types_are_samples(value: object, kept: float | None) -> None:
    reading = check_reading("a", 1, value)
    assert reading == ("a", 1, kept)
    assert type(reading[2]) is type(kept)


@pytest.mark.parametrize("name", ["", " a", "a\n", "\ud800", "x" * 501])
def test_a_name_that_cannot_be_one_is_refused(name: str) -> None:
    with pytest.raises(BadSample, match="cannot name a series"):
        check_reading(name, 1, 1.0)
