from typing import Any

import pytest

from tidegauge.errors import BadSample
from tidegauge.ingest.deltas import DeltaSums, Point

LARGE = 1.5e308


def test_a_sum_that_is_too_large_for_a_sample_is_refused_and_nothing_of_the_push_is_kept() -> None:
    kept: list[Any] = []
    sums = DeltaSums()
    points = [Point("orders", time, LARGE, is_delta=True) for time in (1, 2)]
    with pytest.raises(BadSample, match="orders was given inf, which is no sample"):
        sums.append(points, lambda _: None, kept.append)
    assert kept == []
    sums.append(points[:1], lambda _: None, kept.append)
    assert kept == [[("orders", 1, LARGE)]]
