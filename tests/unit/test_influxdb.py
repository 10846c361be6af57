"""Line protocol as a real InfluxDB reads it (1.6, which Debian has), with what is meant to be otherwise.

Where its documents of v2 say something else, they count:
https://docs.influxdata.com/influxdb/v2/reference/syntax/line-protocol/
"""

import json
import shutil
import subprocess
from collections.abc import Callable, Iterator
from itertools import count
from pathlib import Path
from typing import Any
from urllib.error import HTTPError, URLError
from urllib.parse import unquote, urlencode
from urllib.request import urlopen

import pytest
import served
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from push_bodies import NOW_MS

from tidegauge.ingest import line_protocol

CONF = """
bind-address = "127.0.0.1:{backup_port}"
reporting-disabled = true
[meta]
  dir = "{folder}/meta"
[data]
  dir = "{folder}/data"
  wal-dir = "{folder}/wal"
[http]
  bind-address = "127.0.0.1:{port}"
  log-enabled = false
[monitor]
  store-enabled = false
"""
Values = dict[tuple[str, str], tuple[int, float]]  # (measurement.field, tags as JSON) -> time in ms, value
numbers = count()


class InfluxDB:
    """A running server; every batch gets a database of its own."""

    def __init__(self, port: int) -> None:
        self.url = f"http://127.0.0.1:{port}"

    def ask(self, path: str, body: bytes | None = None) -> tuple[int, bytes]:
        try:
            with urlopen(self.url + path, body, timeout=10) as answer:
                return answer.status, answer.read()
        except HTTPError as error:
            with error:
                return error.code, error.read()

    def is_up(self) -> bool:
        try:
            return self.ask("/ping")[0] == 204
        except URLError:
            return False

    def take(self, lines: list[str], precision: str) -> tuple[list[bool], Values]:
        """Return which lines are taken, each written alone, and the numbers that are then there."""
        db = f"db{next(numbers)}"
        self.ask("/query", urlencode({"q": f"CREATE DATABASE {db}"}).encode())
        write = f"/write?db={db}&precision={precision}"
        taken = [self.ask(write, line.encode())[0] == 204 for line in lines]
        query = urlencode({"db": db, "epoch": "ms", "q": "SELECT * FROM /.*/ GROUP BY *"})
        [result] = json.loads(self.ask("/query", query.encode())[1])["results"]
        return taken, {
            (f"{one['name']}.{field}", as_json(one.get("tags", {}))): (time, float(value))
            for one in result.get("series", [])
            for time, *row in one["values"]
            for field, value in zip(one["columns"][1:], row, strict=True)
            if value is not None and not isinstance(value, str)
        }


def as_json(tags: dict[str, str]) -> str:
    return json.dumps({key: value for key, value in tags.items() if value}, sort_keys=True)


@pytest.fixture(scope="module")
def influxdb(
    tmp_path_factory: pytest.TempPathFactory, require: Callable[[bool, str], None], eventually: Callable[..., None]
) -> Iterator[InfluxDB]:
    require(shutil.which("influxd") is not None, "needs influxd: apt-get install influxdb")
    folder: Path = tmp_path_factory.mktemp("influxdb")
    port = served.free_ports()
    (folder / "conf").write_text(CONF.format(folder=folder, port=port, backup_port=port + 1))
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(["influxd", "-config", folder / "conf"], stdout=log, stderr=log)
    one = InfluxDB(port)
    eventually(one.is_up)
    yield one
    process.terminate()
    process.wait(20)


def ours(lines: list[str], precision: str) -> tuple[list[bool], Values]:
    # Each for itself, as InfluxDB is sent them: a text that is left open would go on in the next.
    pushes = [line_protocol.parse(line.encode(), precision, NOW_MS) for line in lines]
    found: Values = {}
    for name, time, value in (reading for push in pushes for reading in push.readings):
        base, _, inside = name.partition("{")
        pairs = [pair.split("=") for pair in inside.removesuffix("}").split(",") if pair]
        tags = as_json({unquote(key): unquote(text) for key, text in pairs})
        found[unquote(base), tags] = (time or 0, float(value or 0))
    return [not push.problems for push in pushes], found


def parts(*more: str, most: int = 3) -> st.SearchStrategy[str]:
    some = ["a", "Z", "é", "\\ ", "\\,", '"', "'", "#", ".", "%", "{", "}", "/", ":", "\\n", "-", *more]
    return st.lists(st.sampled_from(some), max_size=most).map("".join)


in_tags, in_fields = parts("\\", "\\=", ","), parts("\\=", "=", ",")
VALUES = r"""
1 -1.5 +1 1. .5 -.5 007 1e5 1E+5 1e-300 1i -1i +1i 9223372036854775807i -9223372036854775808i t T true True TRUE f F
false False FALSE "x" "" "a,b=c" "a\"b" "\\" "#" 9223372036854775808i tRUE tr nan NaN inf -Inf 0x1 1_0 --1 1i5 - + 1e
1.5i 1L 1e400 'x' 1,
"""
values = st.sampled_from([*VALUES.split(), '"a b"', '" "'])
PER_MS = {"n": 10**6, "u": 1000, "ms": 1, "s": 1 / 1000, "m": 1 / 60_000, "h": 1 / 3_600_000}


@st.composite
def batches(draw: Callable[[st.SearchStrategy[Any]], Any]) -> tuple[str, list[str]]:
    """A precision, and lines that are good or nearly; a field has a name that no other line's has."""
    precision = draw(st.sampled_from(sorted(PER_MS)))
    time = int(NOW_MS * PER_MS[precision])
    times = ["", " ", f" {time}", f"  {time}", f" {time} ", f" {time}i", f" {time}.5", f" {time} {time}", " x"]
    lines = []
    for number in range(draw(st.integers(1, 15))):
        start = draw(st.sampled_from(["", "", " ", "  "]))
        tags = "".join(f",t{draw(in_tags)}={draw(in_tags)}" for _ in range(draw(st.integers(0, 2))))
        letters = draw(st.sampled_from(["a", "a", "ab", "abc"]))
        fields = ",".join(f"f{number}{letter}{draw(in_fields)}z={draw(values)}" for letter in letters)
        lines.append(f"{start}m{draw(parts())}{tags} {fields}{draw(st.sampled_from(times))}")
    return precision, draw(st.permutations([*lines, "# m f=1", ""]))


@settings(suppress_health_check=list(HealthCheck))
@given(batches())
def test_lines_are_taken_or_refused_and_read_as_influxdb_does(influxdb: InfluxDB, batch: tuple[str, list[str]]) -> None:
    precision, lines = batch
    taken, theirs = influxdb.take(lines, precision)
    also_taken, found = ours(lines, precision)
    assert dict(zip(lines, also_taken, strict=True)) == dict(zip(lines, taken, strict=True))
    assert {key: value for key, (_, value) in found.items()} == {key: value for key, (_, value) in theirs.items()}
    assert [time for time, _ in found.values() if time] == [theirs[key][0] for key, (time, _) in found.items() if time]


@pytest.mark.parametrize(
    ("line", "is_taken"),
    [
        ("m f=1u", True),  # v2 has unsigned numbers
        ("m f=1\r", True),  # files of Windows
        ("m time=1", True),  # not reserved here: a series is no table with a column of that name
        ("m,time=x f=1", True),
        ('m f="x"y', False),
        ("m,t== f=1", False),  # v2: = is escaped in the value of a tag
        ("m f=1 -1", False),  # years away
    ],
)
def test_where_the_two_differ_it_is_meant(influxdb: InfluxDB, line: str, is_taken: bool) -> None:
    [theirs], _ = influxdb.take([line], "n")
    assert (theirs, all(ours([line], "n")[0])) == (not is_taken, is_taken)


@pytest.mark.parametrize(
    "line", ['m f="a\nforged v=1\nb",g=2', 'm,t=" f=1', 'm f="a\\"\n",g="x\n\n",h=1', 'm f="\\\\",g=1']
)
def test_a_line_break_in_a_text_is_no_end_of_the_line(influxdb: InfluxDB, line: str) -> None:
    [taken], theirs = influxdb.take([line], "n")
    [also_taken], found = ours([line], "n")
    assert (also_taken, found.keys(), taken) == (True, theirs.keys(), True)


@pytest.mark.parametrize(("line", "base"), [("m\\=x f=1", "m\\=x.f"), ('m f\\"=1', 'm.f\\"')])
def test_what_v2_does_not_call_an_escape_is_none(influxdb: InfluxDB, line: str, base: str) -> None:
    [theirs], [ours_] = influxdb.take([line], "n")[1], ours([line], "n")[1]
    assert (theirs, ours_) == ((base.replace("\\", ""), "{}"), (base, "{}"))
