"""The index of the SQLite journal, beside a look at every row."""

from collections.abc import Iterator
from itertools import chain
from pathlib import Path

import apsw
import numpy as np
import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as with_settings
from hypothesis import strategies as st

from tidegauge.store.journal.sqlite import by_series, series_index
from tidegauge.store.journal.sqlite.database import connect
from tidegauge.store.journal.sqlite.rows import SampleRow

often = with_settings(
    max_examples=2 * with_settings().max_examples, suppress_health_check=[HealthCheck.function_scoped_fixture]
)


@pytest.fixture
def db(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[apsw.Connection]:
    monkeypatch.setattr(series_index, "RUN_SAMPLES", 50)
    monkeypatch.setattr(series_index, "SLICE_SAMPLES", 7)
    connection = connect(tmp_path / "journal.sqlite")
    yield connection
    connection.close()


def fill(db: apsw.Connection, rows: list[SampleRow]) -> None:
    for table in ("sample", "run", "slice", "damage"):
        db.execute(f"DELETE FROM {table}")  # noqa: S608
    db.executemany("INSERT INTO sample VALUES (?, ?, ?, ?)", rows)
    series_index.extend(db)


def read(db: apsw.Connection, series: int, after: int, to: int, *times: int) -> list[tuple[int, int, float | None]]:
    return list(chain.from_iterable(by_series.read(db, "seq, time, value", series, after, to, *times)))


def newest(
    db: apsw.Connection, wanted: dict[int, int], to: int = series_index.ALWAYS
) -> list[tuple[int, int, int, float]]:
    return list(zip(*(column.tolist() for column in by_series.newest(db, wanted, to)), strict=True))


journals = st.lists(
    st.tuples(st.integers(1, 40), st.integers(1, 6), st.integers(0, 100), st.floats(-9, 9) | st.none()),
    max_size=300,
).map(
    lambda steps: [
        (int(seq), series, time, value)
        for seq, (_, series, time, value) in zip(np.cumsum([step[0] for step in steps]), steps, strict=True)
    ]
)
bounds = st.tuples(st.integers(0, 3000), st.integers(0, 3000)).map(sorted)


@with_settings(
    max_examples=2 * with_settings().max_examples, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    rows=journals,
    seqs=bounds,
    times=st.tuples(st.integers(0, 100), st.integers(0, 100)),
    damage=st.lists(bounds, unique_by=lambda one: one[0]),
)
def test_a_series_is_read_as_by_a_look_at_every_row(
    db: apsw.Connection, rows: list[SampleRow], seqs: list[int], times: tuple[int, int], damage: list[list[int]]
) -> None:
    fill(db, rows)
    db.executemany("INSERT OR REPLACE INTO damage VALUES (?, ?, 0)", damage)
    sound = [row for row in rows if not any(first <= row[0] <= last for first, last in damage)]
    after, to = seqs
    for series in range(1, 8):
        kept = [(seq, t, v) for seq, of, t, v in sound if of == series and after < seq <= to]
        assert read(db, series, after, to) == kept
        assert read(db, series, after, to, *times) == [row for row in kept if times[0] <= row[1] < times[1]]


@with_settings(
    max_examples=2 * with_settings().max_examples, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(rows=journals, to=st.integers(0, 3000), many=st.dictionaries(st.integers(1, 7), st.integers(0, 80)))
def test_the_newest_of_many_series_are_those_of_a_look_at_every_row(
    db: apsw.Connection, rows: list[SampleRow], to: int, many: dict[int, int]
) -> None:
    fill(db, rows)
    expected = []
    for series, count in sorted(many.items()):
        found = [row for row in rows if row[1] == series and row[0] <= to]
        expected += [(*row[:3], row[3]) for row in found[len(found) - min(count, len(found)) :]]
    assert [row[:3] for row in newest(db, many, to)] == [row[:3] for row in expected]


def test_numbers_may_be_far_apart(db: apsw.Connection) -> None:
    rows: list[SampleRow] = [(1 + n * 2**31, 1, n, float(n)) for n in range(120)]
    fill(db, rows)
    assert read(db, 1, 0, 2**53) == [(seq, t, v) for seq, _, t, v in rows]
    assert db.execute("SELECT max(last_seq - first_seq) FROM run").get < 2**32


def test_every_run_agrees_and_a_changed_one_does_not(db: apsw.Connection) -> None:
    fill(db, [(n, n % 3, n, 0.5) for n in range(1, 201)])
    assert [series_index.agrees(db, run, []) for run in series_index.within(db, 0, 200)] == [True] * 4
    db.execute("UPDATE sample SET series = 7 WHERE seq = 60")
    assert [series_index.agrees(db, run, []) for run in series_index.within(db, 0, 200)] == [True, False, True, True]
    assert all(series_index.agrees(db, run, [(55, 65)]) for run in series_index.within(db, 0, 200))


def test_what_retention_has_removed_of_a_run_is_no_damage(db: apsw.Connection) -> None:
    fill(db, [(n, n % 3, n, 0.5) for n in range(1, 201)])
    db.execute("DELETE FROM sample WHERE seq <= 30")
    db.execute("UPDATE journal SET horizon = 30")
    assert all(series_index.agrees(db, run, []) for run in series_index.within(db, 0, 200))
    assert [row[0] for row in read(db, 0, 0, 40)] == [33, 36, 39]
