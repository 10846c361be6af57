"""What live() takes, and what a pattern and a band are."""

import pytest

from tidegauge.dashboards.source import live
from tidegauge.dashboards.view import View
from tidegauge.store.patterns import pattern


@pytest.mark.parametrize(
    ("name", "matches", "other"),
    [
        ("cpu{host=*}", "cpu{host=web1}", "cpu{host=web1"),
        ("*", "anything at all", ""),
        ("a.*.c", "a.b.b.c", "a.bc"),
        ("a.b*", "a.b", "axb"),
    ],
)
def test_a_star_stands_for_any_text(name: str, matches: str, other: str) -> None:
    wanted = pattern(name)
    assert wanted is not None
    assert wanted.fullmatch(matches)
    assert not other or not wanted.fullmatch(other)


def test_a_name_without_a_star_is_no_pattern() -> None:
    assert pattern("cpu{host=web1}") is None


@pytest.mark.parametrize(
    ("value", "band"), [(79.9, ""), (80, "warn"), (94, "warn"), (95, "bad"), (None, ""), (float("nan"), "")]
)
def test_a_value_is_in_the_worst_band_that_it_reaches(value: float | None, band: str) -> None:
    assert View("cpu", warn=80, bad=95).band(value) == band


@pytest.mark.parametrize(("value", "band"), [(30, ""), (20, "warn"), (10, "bad")])
def test_with_bad_below_warn_low_values_are_in_a_band(value: float, band: str) -> None:
    assert View("free", warn=20, bad=10).band(value) == band


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"rate_s": 0}, "rate_s is a number of seconds above 0"),
        ({"warn": float("nan")}, "warn is a finite number"),
        ({"unit": 5}, "unit is a text"),
    ],
)
def test_what_live_cannot_use_is_refused_with_a_sentence(options: dict[str, float], sentence: str) -> None:
    with pytest.raises((TypeError, ValueError), match=sentence):
        live("a", **options)  # type: ignore[arg-type]
