import re
from math import nan

import numpy as np
import pytest

from tidegauge.publish.sparkline import duration, number_text, sparkline, thinned
from tidegauge.store.series import Columns


def columns(*values: float, times: list[int] | None = None) -> Columns:
    return Columns(range(1, len(values) + 1), times or [1000 * i for i in range(len(values))], values)


def points(path: str) -> list[tuple[int, int]]:
    return [(int(x), int(y)) for x, y in re.findall(r"(\d+) (\d+)", path)]


def test_a_line_runs_from_the_first_sample_at_the_left_to_the_last_at_the_right_the_lowest_at_the_bottom() -> None:
    one = sparkline(columns(0, 10, 5), 106, 46)
    assert one.line == "M3 43L53 3 103 23"
    assert one.area == "M3 43L53 3 103 23V46H3Z"
    assert one.end == "M103 23h0"
    assert (one.low, one.high, one.newest, one.span_ms) == (0, 10, 5, 2000)


def test_a_gap_in_the_samples_is_a_gap_in_the_line_and_a_lonely_sample_a_point() -> None:
    assert sparkline(columns(1, 2, nan, 3, nan, nan, 4, 5), 76, 10).line.count("M") == 3
    assert "M33 5h0" in sparkline(columns(1, 2, nan, 3, nan, nan, 4, 5), 76, 10).line


def test_samples_are_drawn_in_the_order_of_their_times() -> None:
    late = sparkline(columns(0, 5, 10, times=[0, 2000, 1000]), 106, 46)
    assert late.line == sparkline(columns(0, 10, 5), 106, 46).line
    assert late.newest == 5


def test_a_constant_lies_in_the_middle_and_a_single_sample_at_the_right() -> None:
    assert sparkline(columns(7, 7), 106, 46).line == "M3 23L103 23"
    assert sparkline(columns(7), 106, 46).line == "M103 23h0"


@pytest.mark.parametrize("none", [columns(), columns(nan, nan)])
def test_without_a_value_there_is_no_line(none: Columns) -> None:
    one = sparkline(none, 100, 40)
    assert (one.line, one.area, one.end, one.newest) == ("", "", "", None)


def test_the_largest_floats_are_placed_like_others() -> None:
    assert sparkline(columns(-1.7e308, 1.7e308), 106, 46).line == "M3 43L103 3"


@pytest.mark.parametrize("count", [61, 1000, 100_000])
def test_a_long_window_is_thinned_to_the_points_asked_for_and_keeps_its_peaks(count: int) -> None:
    v = np.random.default_rng(1).normal(size=count)
    v[count // 3], v[count // 2] = 99, -99
    kept = [point for run in thinned(np.arange(count, dtype=float), v, 60) for point in run]
    assert 40 < len(kept) <= 60
    assert {99, -99} < {value for _, value in kept}
    assert kept == sorted(kept)


def test_thinning_never_closes_a_gap_however_short() -> None:
    v = np.ones(1000)
    v[[100, 101, 500]] = nan
    assert [run[0][0] > 500 for run in thinned(np.arange(1000.0), v, 60)] == [False, False, True]


def test_many_samples_of_one_time_are_thinned_too() -> None:
    assert sum(len(run) for run in thinned(np.zeros(500), np.arange(500.0), 60)) == 2


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0, "0"),
        (12.5, "12.5"),
        (0.123456, "0.1235"),
        (-1234.5, "-1234"),
        (99_999.6, "100,000"),
        (133_390_336, "133.4\u202fM"),
        (-2.5e9, "-2.5\u202fG"),
        (1.7e308, "1.70e+308"),
        (3.2e-9, "3.20e-09"),
        (None, "no value"),
        (nan, "no value"),
    ],
)
def test_a_figure_is_short(value: float | None, text: str) -> None:
    assert number_text(value) == text


def test_a_figure_has_its_unit() -> None:
    assert number_text(12.5, "%") == "12.5\u202f%"


@pytest.mark.parametrize(("ms", "text"), [(999, "0 s"), (99_999, "99 s"), (100_000, "1 min"), (7_200_000, "2 h")])
def test_a_duration_is_told_in_its_largest_fitting_unit(ms: float, text: str) -> None:
    assert duration(ms) == text
