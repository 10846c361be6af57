"""Every push format: what other serialisers wrote is parsed exactly, and what is no body is refused whole."""

from math import isfinite
from urllib.parse import unquote

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from memory_hub import memory_hub
from push_bodies import FORMATS, LAWFUL_MS, NOW_MS, Said, corrupted, line_bodies

from tidegauge.errors import BadPush, BadSample
from tidegauge.ingest import line_protocol
from tidegauge.ingest.push import series_name
from tidegauge.store.journal import Reading
from tidegauge.store.series import check_name

quick = settings(suppress_health_check=[HealthCheck.too_slow])
forms = pytest.mark.parametrize("form", FORMATS)


def by_series(readings: list[Reading]) -> dict[str, list[tuple[int | None, float | None]]]:
    """The fields of a line come in any order, the samples of a series in theirs; every number becomes a float."""
    found: dict[str, list[tuple[int | None, float | None]]] = {}
    for name, time, value in readings:
        found.setdefault(name, []).append((time, None if value is None else float(value)))
    return found


def assert_checked(readings: list[Reading]) -> None:
    """The hub checks nothing: what a parser returns can be kept as it is."""
    for name, time, value in readings:
        assert name == check_name(name)
        assert time is None or LAWFUL_MS[0] <= time <= LAWFUL_MS[1]
        assert value is None or (type(value) is float and isfinite(value))


@forms
@quick
@given(st.data())
def test_what_another_serialiser_wrote_is_parsed_to_exactly_its_readings(form: str, data: st.DataObject) -> None:
    body, readings = data.draw(FORMATS[form].bodies)
    parsed = FORMATS[form].parse(body)
    assert_checked(parsed)
    assert by_series(parsed) == by_series(readings)


@forms
@quick
@given(st.data())
def test_anything_else_is_refused_whole_or_is_readings_that_the_hub_takes(form: str, data: st.DataObject) -> None:
    hub = memory_hub(window=10, max_series=1000)
    try:
        readings = FORMATS[form].parse(data.draw(corrupted(form)))
    except (BadPush, BadSample):
        return
    assert_checked(readings)
    hub.append(readings)


bad_lines = st.sampled_from(
    [
        "a",
        "a ",
        "a v=",
        "a v=x",
        'a v="x"y',
        "a,t v=1",
        "a,t= v=1",
        ",t=x v=1",
        "a v=1 x",
        "a v=1 12",
        "a v=1,",
        "\u200b v=1",
    ]
)


@quick
@given(st.lists(line_bodies() | bad_lines, max_size=4))
def test_bad_lines_are_named_by_their_numbers_and_all_the_good_ones_kept(parts: list[Said | str]) -> None:
    body, expected, bad, lines = b"", [], [], 0
    for part in parts:
        text, readings = (part.encode(), []) if isinstance(part, str) else part
        if isinstance(part, str):
            bad.append(lines + 1)
        expected += readings
        body += text + b"\n"
        lines = body.count(b"\n")
    push = line_protocol.parse(body, "ns", NOW_MS)
    assert_checked(push.readings)
    assert by_series(push.readings) == by_series(expected)
    assert [problem.split(":")[0] for problem in push.problems] == [f"line {number}" for number in bad]


@given(st.text(), st.dictionaries(st.text(), st.text()))
def test_a_name_tells_what_it_was_made_of(base: str, tags: dict[str, str]) -> None:
    found, _, inside = series_name(base, tags).partition("{")
    pairs = [pair.split("=") for pair in inside.removesuffix("}").split(",") if pair]
    assert unquote(found) == base
    assert {unquote(key): unquote(value) for key, value in pairs} == tags


def test_a_number_that_no_float_holds_is_refused() -> None:
    lists = b'[{"plugin": "load", "type": "load", "time": 1795000000, "values": [1e999], "dsnames": ["value"]}]'
    with pytest.raises(BadSample, match=r"load\.load was given inf, which is no sample"):
        FORMATS["collectd"].parse(lists)
