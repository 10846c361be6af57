"""The SQLite journal: what was appended is there, in order, whatever becomes of the process and of its file."""

import math
import os
import shutil
import struct
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from itertools import count
from pathlib import Path
from threading import Thread
from time import sleep

import apsw
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.counter import Counter
from tidegauge.errors import CursorGone, JournalUnusable, JournalUnwritable, UnknownSeries
from tidegauge.settings import load_settings
from tidegauge.store.hub import Hub
from tidegauge.store.journal import Stamped
from tidegauge.store.journal.sqlite.checksums import as_columns, checksum, checksums
from tidegauge.store.journal.sqlite.high_water import RESERVED
from tidegauge.store.journal.sqlite.journal import IDLE_S, SqliteJournal
from tidegauge.store.journal.sqlite.recovery import recover
from tidegauge.store.journal.sqlite.retention import Retention
from tidegauge.store.windows import Windows
from torture.corruption import write_batch

Eventually = Callable[..., None]
PAGE = 4096  # bytes
NUMBERS = st.integers(0, 2**53 - 1)
TIMES = st.integers(-(2**53) + 1, 2**53 - 1)
VALUES = st.none() | st.floats(allow_nan=False, allow_infinity=False)


@contextmanager
def opened(path: Path, window: int = 100, retention: Retention | None = None) -> Iterator[Hub]:
    hub = Hub(SqliteJournal(path, retention), window=window, max_series=1000)
    hub.open()
    yield hub
    hub.journal.close()


def crash(path: Path) -> Path:
    """Return a copy of the journal as it lies on the disk now, with its writer still running: as after kill -9."""
    target = path.parent / f"crashed-{len(list(path.parent.iterdir()))}"
    target.mkdir()
    for file in path.parent.glob(f"{path.name}*"):
        if not file.name.endswith("-shm"):
            shutil.copy(file, target)
    return target / path.name


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "data" / "journal.sqlite"


def test_numbers_epoch_and_windows_go_on_after_a_close(path: Path) -> None:
    with opened(path) as hub:
        epoch = hub.journal.epoch
        hub.append([("a", 1, 1.5), ("b", 2, None)])
    with opened(path) as hub:
        assert hub.journal.epoch == epoch
        assert hub.append([("a", 3, 2.0)]).seq == 3
        assert hub.read("a", 0) == [(1, 1, 1.5), (3, 3, 2.0)]
        assert hub.read("b", 0) == [(2, 2, None)]


def test_what_was_acknowledged_is_there_after_a_crash_and_no_number_is_given_twice(path: Path) -> None:
    with opened(path) as hub:
        epoch, last = hub.journal.epoch, hub.append([("a", 1, 1.0)]).seq
        with opened(crash(path)) as after:
            assert after.journal.epoch == epoch
            assert after.read("a", 0) == [(1, 1, 1.0)]
            assert after.append([("a", 2, 2.0)]).seq > last + 1
            assert after.journal.losses == []


def test_windows_are_refilled_with_the_newest_and_know_what_left_them(path: Path) -> None:
    with opened(path, window=10) as hub:
        for time in range(30):
            hub.append([("often", time, float(time))])
        hub.append([("seldom", 1, 1.0)])
        before = hub.windows.snapshot(["often", "seldom"]).series
    with opened(path, window=10) as hub:
        assert hub.windows.snapshot(["often", "seldom"]).series == before


def test_a_series_that_is_older_than_what_is_read_in_one_go_is_refilled_too(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tidegauge.store.journal.sqlite.windows.SAMPLES", 5)
    with opened(path, window=3) as hub:
        hub.append([("seldom", time, float(time)) for time in range(5)])
        for time in range(20):
            hub.append([("often", time, float(time))])
        before = hub.windows.snapshot(["often", "seldom"]).series
    with opened(path, window=3) as hub:
        assert hub.windows.snapshot(["often", "seldom"]).series == before


def test_samples_beyond_the_window_are_read_in_pages(path: Path) -> None:
    with opened(path, window=10) as hub:
        hub.append([("a", time, float(time)) for time in range(95)])
        seen: list[int] = []
        while page := hub.read("a", seen[-1] if seen else 0, limit=20):
            assert len(page) <= 20
            seen += [row[0] for row in page]
        assert seen == list(range(1, 96))
        assert [row[1] for row in hub.read("a", 0, start_ms=10, end_ms=13)] == [10, 11, 12]


def test_a_cursor_older_than_what_is_kept_is_told_the_oldest(path: Path, eventually: Eventually) -> None:
    with opened(path, window=10, retention=Retention(samples=1000)) as hub:
        for start in range(0, 5000, 500):
            hub.append([("a", start + i, 1.0) for i in range(500)])
        journal = hub.journal
        assert isinstance(journal, SqliteJournal)
        eventually(lambda: journal.state()["samples"] == 1000)
        horizon = hub.windows.newest - 1000
        with pytest.raises(CursorGone, match=f"since={horizon}"):
            hub.read("a", 1)
        assert len(hub.read("a", horizon)) == 1000
        assert hub.read("a", 0)[0][0] == horizon + 1


def test_samples_of_arrival_before_the_retention_are_removed(path: Path, eventually: Eventually) -> None:
    with opened(path) as hub:
        hub.append([("a", 1, 1.0)])
        hub.append([("a", 2, 2.0)])
    with opened(path, retention=Retention(days=1e-9)) as hub:
        journal = hub.journal
        assert isinstance(journal, SqliteJournal)
        eventually(lambda: journal.state()["samples"] == 1)  # the last batch tells where the numbers stand


def test_a_push_that_is_repeated_is_stored_once_also_after_a_restart(path: Path) -> None:
    with opened(path) as hub:
        assert hub.append([("a", 1, 1.0)], b"push 1").seq == 1
        hub.append([("a", 2, 2.0)])
        assert hub.append([("a", 1, 1.0)], b"push 1").seq == 1
    with opened(path) as hub:
        assert hub.append([("a", 1, 1.0)], b"push 1").seq == 1
        assert hub.windows.newest == 2


def test_a_sample_that_is_in_the_window_is_stored_once_and_one_without_a_time_never_merged(path: Path) -> None:
    with opened(path) as hub:
        hub.append([("a", 1, 1.0), ("a", 1, 1.0), ("a", 1, None), ("a", 1, 2.0)])
        hub.append([("a", 1, None), ("a", 1, 1.0), ("b", None, 5.0), ("b", None, 5.0)])
        assert [(row[1], row[2]) for row in hub.read("a", 0)] == [(1, 1.0), (1, None), (1, 2.0)]
        assert [row[2] for row in hub.read("b", 0)] == [5.0, 5.0]


def test_concurrent_pushes_share_commits_and_are_each_there_once(path: Path) -> None:
    with opened(path, window=10_000) as hub:
        numbers = count()

        def push() -> None:
            for _ in range(25):
                n = next(numbers)
                hub.append([("a", n, float(n)), ("b", n, float(n))])

        threads = [Thread(target=push) for _ in range(16)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        journal = hub.journal
        assert isinstance(journal, SqliteJournal)
        assert sorted(row[1] for row in hub.read("a", 0)) == list(range(400))
        assert journal.commits.count < 400
        assert [row[0] for row in hub.read("a", 0)] == sorted(row[0] for row in hub.read("a", 0))


def test_a_second_writer_is_refused_with_the_first_ones_process_id(path: Path) -> None:
    refusal = f"the process {os.getpid()} already writes to it"
    with opened(path), pytest.raises(JournalUnusable, match=refusal), opened(path):
        pass


def test_a_reader_is_shown_nothing_that_others_cannot_see_yet(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    deliver, seen = Windows.deliver, list[int]()

    def read_and_deliver(windows: Windows, batches: Sequence[tuple[int, Sequence[Stamped]]]) -> None:
        if windows.newest:
            seen.extend(row[0] for row in hub.read("a", 1))
        deliver(windows, batches)

    monkeypatch.setattr(Windows, "deliver", read_and_deliver)
    hub = Hub(SqliteJournal(path), window=10, max_series=10)
    hub.open()
    hub.append([("a", time, 1.0) for time in range(30)])
    hub.append([("a", 30, 1.0)])
    hub.journal.close()
    assert seen[-1] == 30


# ---- damage ----


def damage(path: Path, value: float) -> None:
    """Flip a byte of a stored value in the file itself."""
    body = path.read_bytes()
    at = body.index(struct.pack(">d", value))
    path.write_bytes(body[: at + 7] + bytes([body[at + 7] ^ 1]) + body[at + 8 :])


def test_a_flipped_byte_is_noticed_named_and_left_out_and_the_rest_is_kept(path: Path) -> None:
    with opened(path) as hub:
        epoch = hub.journal.epoch
        hub.append([("a", 1, 1.25)])
        hub.append([("a", 2, 2.7182818), ("b", 2, 1.25)])
        hub.append([("a", 3, 3.25)])
    damage(path, 2.7182818)
    for _ in range(2):
        with opened(path) as hub:
            assert [row[1] for row in hub.read("a", 0)] == [1, 3]
            assert hub.read("b", 0) == []
            assert hub.journal.epoch != epoch
            after = hub.journal.epoch
            assert any("samples 2 to 3 are damaged" in loss for loss in hub.journal.losses)
    assert after == hub.journal.epoch


def test_a_reader_gets_past_a_page_of_damaged_samples(path: Path) -> None:
    with opened(path, window=10) as hub:
        hub.append([("a", time, 2.7182818 if time == 3 else float(time)) for time in range(50)])
        hub.append([("a", time, float(time)) for time in range(50, 90)])
    damage(path, 2.7182818)
    with opened(path, window=10) as hub:
        assert [row[0] for row in hub.read("a", 0, limit=5)] == [51, 52, 53, 54, 55]


def page_of(path: Path, value: float) -> int:
    """The page (from 1) of the file that has a stored value."""
    return path.read_bytes().index(struct.pack(">d", value)) // PAGE + 1


def wreck(path: Path, page: int) -> None:
    """Overwrite a whole page of the file."""
    with path.open("r+b") as file:
        file.seek((page - 1) * PAGE)
        file.write(b"\xff" * PAGE)


def fill(path: Path) -> str:
    """Write 40 batches of 100 samples, about 25 pages; returns the epoch.

    Values 1000.5 to 4999.5: whole ones SQLite writes as integers.
    """
    with opened(path) as hub:
        for batch in range(40):
            hub.append([("a", time, 1000.5 + time) for time in range(100 * batch, 100 * batch + 100)])
        return hub.journal.epoch


def test_of_a_file_with_a_wrecked_page_all_that_can_be_read_is_kept_and_the_rest_is_named(path: Path) -> None:
    epoch = fill(path)
    wreck(path, page_of(path, 3000.5))
    with opened(path) as hub:
        assert hub.journal.epoch != epoch
        assert any("set aside as journal.sqlite.damaged-" in loss for loss in hub.journal.losses)
        named = [loss for loss in hub.journal.losses if loss.endswith("They are left out, and not deleted.")]
        values = [row[2] for row in hub.read("a", 0, limit=10_000)]
        assert 3000.5 not in values
        assert len(values) == 4000 - 100 * len(named) >= 3500
        assert hub.append([("a", 9999, 1.0)]).seq > 4000
    assert [file.name for file in path.parent.glob("*.damaged-*")]


def test_a_wrecked_page_that_is_not_read_at_start_costs_its_batches_only(
    path: Path, monkeypatch: pytest.MonkeyPatch, eventually: Eventually
) -> None:
    monkeypatch.setattr("tidegauge.store.journal.sqlite.windows.SAMPLES", 200)
    fill(path)
    wreck(path, page_of(path, 1500.5))
    with opened(path, window=10) as hub:
        journal = hub.journal
        assert isinstance(journal, SqliteJournal)
        eventually(lambda: int(str(journal.state()["checked"])) >= 3700)
        eventually(lambda: any("samples 501 to 600 are damaged" in loss for loss in journal.losses))
        values = [row[2] for row in hub.read("a", 0, limit=10_000)]
        assert 1500.5 not in values
        assert len(values) >= 3500


def test_a_wrecked_page_that_is_not_indexed_yet_costs_its_batches_only(
    path: Path, monkeypatch: pytest.MonkeyPatch, eventually: Eventually
) -> None:
    monkeypatch.setattr("tidegauge.store.journal.sqlite.windows.SAMPLES", 200)
    fill(path)
    wreck(path, page_of(path, 1500.5))
    monkeypatch.setattr("tidegauge.store.journal.sqlite.series_index.RUN_SAMPLES", 1000)
    with opened(path, window=10) as hub:
        eventually(lambda: any("samples 501 to 600 are damaged" in loss for loss in hub.journal.losses))
        values = [row[2] for row in hub.read("a", 0, limit=10_000)]
        assert 1500.5 not in values
        assert len(values) >= 3500


@pytest.mark.parametrize("value", [None, "soon", 1.5, 0, -1, 5000, 2**52, 2**62])
@pytest.mark.parametrize("column", ["at", "first_seq", "checksum"])
@pytest.mark.parametrize("last", [4000, 3900, 100])
def test_a_batch_whose_row_is_wrong_costs_at_most_its_samples(
    path: Path, monkeypatch: pytest.MonkeyPatch, eventually: Eventually, column: str, value: object, last: int
) -> None:
    monkeypatch.setattr("tidegauge.store.journal.sqlite.windows.SAMPLES", 200)
    fill(path)
    write_batch(path, last, column, value)
    with opened(path, window=10) as hub:
        if column != "at":
            eventually(lambda: any(f"samples {last - 99} to {last} are damaged" in loss for loss in hub.journal.losses))
        values = {row[2] for row in hub.read("a", 0, limit=10_000)}
        corrupted = {999.5 + seq for seq in range(last - 99, last + 1)}
        assert values == {999.5 + seq for seq in range(1, 4001)} - (corrupted if column != "at" else set())
        assert hub.append([("a", 9999, 1.0)]).seq > 4000


@pytest.mark.parametrize("last", [4000, 3900, 100])
@pytest.mark.parametrize("at", [None, 0, 2**52])
def test_by_a_damaged_time_of_arrival_nothing_else_grows_too_old(
    path: Path, caplog: pytest.LogCaptureFixture, last: int, at: object
) -> None:
    fill(path)
    write_batch(path, last, "at", at)
    with opened(path, window=10) as hub:
        hub.append([("a", 9999, 1.0)])
        sleep(3 * IDLE_S)  # it is tidied meanwhile
        kept = len(hub.read("a", 0, limit=10_000))
        assert kept == 4001 or (last == 100 and kept == 3901)
    assert "could not be tidied" not in caplog.text


def test_by_a_damaged_beginning_no_more_batches_are_removed(path: Path, eventually: Eventually) -> None:
    fill(path)
    write_batch(path, 100, "at", 0)
    write_batch(path, 100, "first_seq", 2**52)
    with opened(path, window=10) as hub:
        hub.append([("a", 9999, 1.0)])
        eventually(lambda: len(hub.read("a", 0, limit=10_000)) < 4001)  # the batch, as it is the oldest
        sleep(2 * IDLE_S)  # it is tidied once more
        assert len(hub.read("a", 0, limit=10_000)) == 3901


@pytest.mark.parametrize(
    "damage",
    [
        "DELETE FROM slice WHERE run = (SELECT min(run) FROM slice)",
        "UPDATE slice SET series = CAST(zeroblob(length(series)) AS BLOB) WHERE run = (SELECT min(run) FROM slice)",
        "UPDATE slice SET seqs = CAST(zeroblob(length(seqs)) AS BLOB) WHERE run = (SELECT max(run) FROM slice)",
        "UPDATE slice SET seqs = x'', series = x'' WHERE run = (SELECT min(run) FROM slice)",
    ],
)
def test_an_index_that_is_wrong_is_made_anew(
    path: Path, monkeypatch: pytest.MonkeyPatch, eventually: Eventually, damage: str
) -> None:
    monkeypatch.setattr("tidegauge.store.journal.sqlite.windows.SAMPLES", 200)
    monkeypatch.setattr("tidegauge.store.journal.sqlite.series_index.RUN_SAMPLES", 1000)
    fill(path)
    with opened(path):
        pass
    with closing(apsw.Connection(str(path))) as db:
        assert db.execute("SELECT count(*) FROM run").get >= 3
        db.execute(damage)
        assert db.changes() >= 1
    with opened(path, window=10) as hub:
        eventually(lambda: any("was damaged. It was made anew" in loss for loss in hub.journal.losses))
        eventually(lambda: len(hub.read("a", 0, limit=10_000)) == 4000)
        epoch = hub.journal.epoch
    with opened(path, window=10) as hub:
        assert hub.journal.epoch == epoch


def test_an_unreadable_file_is_recovered_by_hand_where_a_start_does_not_wait_for_it(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tidegauge.store.journal.sqlite.journal.RECOVER_S", -1.0)
    fill(path)
    wreck(path, page_of(path, 3000.5))
    with opened(path) as hub:
        assert "journal recover" in hub.journal.losses[0]
        assert hub.append([("a", 1, 1.0)]).seq > 4000
        assert len(hub.read("a", 0, limit=10_000)) == 1
    [aside] = path.parent.glob("*.damaged-*Z")
    target = path.with_name("recovered")
    assert recover(aside, target, ceiling=RESERVED, within_s=60) == 0
    with opened(target) as hub:
        assert len(hub.read("a", 0, limit=10_000)) >= 3500


def test_a_deleted_series_is_gone_for_good_and_its_name_begins_anew(path: Path) -> None:
    with opened(path) as hub:
        hub.append([("a", 1, 1.0), ("b", 1, 1.0)])
        hub.delete(["a"])
        with pytest.raises(UnknownSeries):
            hub.delete(["b", "a"])
        with pytest.raises(UnknownSeries):
            hub.read("a", 0)
        hub.append([("a", 1, 1.0)])
        assert hub.read("a", 0) == [(3, 1, 1.0)]
    with opened(path) as hub:
        assert hub.read("a", 0) == [(3, 1, 1.0)]
        assert hub.read("b", 0) == [(2, 1, 1.0)]


def test_a_units_series_keeps_it_until_it_is_deleted(path: Path) -> None:
    with opened(path) as hub:
        hub.append([("a", 1, 1.0), ("b", 1, 1.0)])
        hub.note_units({"a": "ms", "b": "B"})
        hub.note_units({"a": "s"})
    with opened(path) as hub:
        assert hub.windows.units == {"a": "s", "b": "B"}
        hub.delete(["a"])
    with opened(path) as hub:
        assert hub.windows.units == {"b": "B"}


def test_history_is_in_the_order_of_time_with_its_gaps(path: Path) -> None:
    with opened(path, window=10) as hub:
        hub.append([("a", at, float(at)) for at in range(100, 200)] + [("a", 150, None), ("a", 50, 1.0)])
        to, found = hub.history(["a", "unknown"], 60, 199)
        assert to == 102
        t, v = found["a"]
        assert t.tolist() == [*range(100, 151), *range(150, 199)]
        assert [one for one, value in zip(t, v, strict=True) if value != value] == [150]
        assert len(found["unknown"].t) == 0


def test_a_push_that_was_declared_before_its_series_was_deleted_is_kept(path: Path) -> None:
    with opened(path) as hub:
        hub.append([("a", 1, 1.0)])
        hub.windows.forget(["a"])  # as between its declaration and its commit
        hub.journal.append([("a", 2, 2.0), ("a", None, 3.0)])
        assert [row[2] for row in hub.read("a", 0)] == [2.0, 3.0]


def test_a_deleted_wal_is_noticed_by_the_mark(path: Path) -> None:
    with opened(path) as hub:
        hub.append([("a", 1, 1.0)])
        crashed = crash(path)
        crashed.with_name("journal.sqlite-wal").unlink()
        with opened(crashed) as after:
            assert after.journal.epoch != hub.journal.epoch
            assert "samples 1 to 1 are missing" in after.journal.losses[0]
            assert after.append([("a", 2, 2.0)]).seq > RESERVED


def test_a_deleted_file_is_noticed_by_the_mark(path: Path) -> None:
    with opened(path) as hub:
        epoch = hub.journal.epoch
        hub.append([("a", 1, 1.0)])
    path.unlink()
    with opened(path) as hub:
        assert hub.journal.epoch != epoch
        assert "file is missing, and with it the samples up to 1" in hub.journal.losses[0]
        assert hub.append([("a", 2, 2.0)]).seq > 1


def test_a_file_that_is_no_journal_is_set_aside_and_not_deleted(path: Path) -> None:
    path.parent.mkdir()
    path.write_bytes(b"this is no database" * 1000)
    with opened(path) as hub:
        assert hub.append([("a", 1, 1.0)]).seq >= 1
        assert "set aside as journal.sqlite.damaged-" in hub.journal.losses[0]
    [aside] = path.parent.glob("*.damaged-*")
    assert aside.read_bytes().startswith(b"this is no database")


def test_an_older_backup_is_noticed_and_is_a_new_epoch(path: Path) -> None:
    with opened(path) as hub:
        hub.append([("a", 1, 1.0)])
    backup = path.read_bytes()
    with opened(path) as hub:
        epoch = hub.journal.epoch
        hub.append([("a", 2, 2.0)])
    path.write_bytes(backup)
    with opened(path) as hub:
        assert hub.journal.epoch != epoch
        assert "samples 2 to 2 are missing" in hub.journal.losses[0]
        assert hub.append([("a", 3, 3.0)]).seq > 2


def test_a_journal_of_a_newer_release_is_refused_and_left_alone(path: Path) -> None:
    with opened(path):
        pass
    with apsw.Connection(str(path)) as db:
        db.pragma("user_version", 99)
    with pytest.raises(JournalUnusable, match="has version 99"), opened(path):
        pass
    assert path.exists()


# ---- a disk that does not take it ----

FULL_DISK = """
import resource, signal, sys
from pathlib import Path
from tidegauge.errors import JournalUnwritable
from tidegauge.settings import load_settings
from tidegauge.store.hub import Hub
from tidegauge.store.journal.sqlite.journal import SqliteJournal
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
hub = Hub(SqliteJournal(Path(sys.argv[1])), window=10, max_series=10)
hub.open()
kept = hub.append([("a", 1, 1.0)]).seq
_, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, hard))
try:
    while True:
        kept = hub.append([("a", kept + i, 1.0) for i in range(1000)]).seq
except JournalUnwritable as error:
    print(error)
assert hub.journal.problem
assert len(hub.read("a", 0, limit=1_000_000)) == kept, (len(hub.read("a", 0, limit=1_000_000)), kept)
resource.setrlimit(resource.RLIMIT_FSIZE, (hard, hard))
import time
deadline = time.monotonic() + 5
while hub.journal.problem:
    assert time.monotonic() < deadline
    time.sleep(0.05)
assert hub.append([("a", 10**9, 1.0)]).seq == kept + 1
print("recovered")
"""


def test_a_full_disk_is_an_error_and_never_a_success_and_it_comes_back_by_itself(path: Path) -> None:
    root = Path(__file__).parents[2]
    done = subprocess.run([sys.executable, "-c", FULL_DISK, path], cwd=root, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-2000:]
    assert "cannot keep samples now" in done.stdout
    assert "recovered" in done.stdout


def test_a_closed_journal_takes_nothing(path: Path) -> None:
    with opened(path) as hub:
        pass
    with pytest.raises(JournalUnwritable, match="being closed"):
        hub.append([("a", 1, 1.0)])


def test_damage_that_was_not_read_at_start_is_found_in_the_background(
    path: Path, monkeypatch: pytest.MonkeyPatch, eventually: Eventually
) -> None:
    monkeypatch.setattr("tidegauge.store.journal.sqlite.windows.SAMPLES", 3)
    with opened(path, window=10) as hub:
        hub.append([("a", 1, 2.7182818)])
        for time in range(2, 30):
            hub.append([("b", time, float(time))])
    damage(path, 2.7182818)
    with opened(path, window=10) as hub:
        eventually(lambda: any("samples 1 to 1 are damaged" in loss for loss in hub.journal.losses))
        assert hub.journal.history
        assert hub.journal.history.read("a", 0, hub.windows.newest, start_ms=None, end_ms=None, limit=9)[0] == []


def test_checksums_tell_every_kind_of_change() -> None:
    rows = [(1, 1, 1000, 1.5), (2, 1, 1001, math.inf), (3, 2, 1002, -0.0)]
    ends = np.array([3])
    [before] = checksums(*as_columns(rows), ends)
    assert [before] == list(checksums(*as_columns([*rows[:2], (3, 2, 1002, 0.0)]), ends))
    for changed in (
        (1, 1, 1000, 1.25),
        (1, 1, 1008, 1.5),
        (1, 3, 1000, 1.5),
        (9, 1, 1000, 1.5),
        (1, 1, 1000, math.inf),
    ):
        assert [before] != list(checksums(*as_columns([changed, *rows[1:]]), ends))


@given(st.lists(st.tuples(NUMBERS, NUMBERS, TIMES, VALUES), max_size=5))
def test_a_checksum_is_the_same_with_arrays_and_without(rows: list[tuple[int, int, int, float | None]]) -> None:
    columns = as_columns((seq, number, at, math.inf if value is None else value) for seq, number, at, value in rows)
    assert [checksum(rows)] == checksums(*columns, np.array([len(rows)])).tolist()


@pytest.mark.parametrize("version", [1])
def test_a_journal_of_every_earlier_version_opens(tmp_path: Path, version: int) -> None:
    for file in (Path(__file__).parents[1] / "journals").glob(f"version-{version}.sqlite*"):
        shutil.copy(file, tmp_path)
    with opened(tmp_path / f"version-{version}.sqlite", retention=Retention(days=36_500)) as hub:
        assert hub.read("a", 0) == [(1, 1_795_000_000_000, 1.5), (3, 1_795_000_001_000, 2.5)]
        assert hub.read("b{host=web1}", 0) == [(2, 1_795_000_000_001, None)]
        assert hub.journal.losses == []
        assert hub.append([("a", 1, 1.0)], b"a push of version1").seq == 2
    counter = Counter(load_settings({"TIDEGAUGE_JOURNAL": str(tmp_path / f"version-{version}.sqlite")}))
    assert counter.next() == 8  # the tutorial's count, which lay in the mark
