from collections.abc import Sequence
from threading import Barrier, Thread
from time import sleep

import pytest
from memory_hub import memory_hub

from tidegauge.errors import CursorAhead, UnknownSeries
from tidegauge.store.hub import Hub
from tidegauge.store.journal import Reading, Stamped
from tidegauge.store.windows import Windows


def make_hub(window: int = 100, max_series: int = 10) -> Hub:
    return memory_hub(window=window, max_series=max_series)


def test_samples_are_numbered_from_one_across_series() -> None:
    hub = make_hub()
    assert hub.append([("a", 1000, 1.0), ("b", 1001, 2.0)]).seq == 2
    assert hub.append([("a", 1002, None)]).seq == 3
    assert hub.read("a", 0) == [(1, 1000, 1.0), (3, 1002, None)]


def test_series_past_the_cap_are_named_and_counted_and_the_others_kept() -> None:
    hub = make_hub(max_series=2)
    hub.append([("a", 1, 1.0)])
    receipt = hub.append([("a", 2, 2.0), ("b", 2, 2.0), ("c", 2, 2.0), ("d", 2, 2.0), ("c", 3, 3.0)])
    assert receipt.refused == ("c", "d")
    assert hub.refused == 3
    assert [(one.name, one.value) for one in hub.windows.newest_samples()] == [("a", 2.0), ("b", 2.0)]


def test_an_unknown_series_and_a_cursor_of_another_epoch_are_refused() -> None:
    hub = make_hub()
    with pytest.raises(UnknownSeries):
        hub.read("a", 0)
    hub.append([("a", 1, 1.0)])
    with pytest.raises(CursorAhead):
        hub.read("a", 2)


def test_a_new_journal_is_a_new_epoch() -> None:
    assert make_hub().journal.epoch != make_hub().journal.epoch


def test_no_reader_ever_sees_a_number_before_a_smaller_one(monkeypatch: pytest.MonkeyPatch) -> None:
    deliver = Windows.deliver

    def yield_and_deliver(windows: Windows, batches: Sequence[tuple[int, Sequence[Stamped]]]) -> None:
        sleep(0.001)  # other threads run between numbering and delivery
        deliver(windows, batches)

    monkeypatch.setattr(Windows, "deliver", yield_and_deliver)
    hub = memory_hub(window=1000, max_series=10)
    hub.append([("a", 0, 0.0), ("b", 0, 0.0)])
    start = Barrier(9)

    def write(series: str) -> None:
        start.wait()
        for _ in range(10):
            batch: list[Reading] = [(series, None, 1.0), ("b", None, 2.0)]
            hub.append(batch)

    threads = [Thread(target=write, args=("a",)) for _ in range(8)]
    for thread in threads:
        thread.start()
    start.wait()
    seen: list[int] = []
    while any(thread.is_alive() for thread in threads) or not seen or seen[-1] < hub.windows.newest:
        snapshot = hub.windows.snapshot(["a", "b"], since=seen[-1] if seen else 0)
        rows = sorted(seq for one in snapshot.series for seq in one.columns.seq)
        assert snapshot.to == (rows[-1] if rows else seen[-1])
        seen += rows
    assert seen == list(range(1, 163))


def test_a_snapshot_is_one_moment_and_knows_what_left_the_windows() -> None:
    hub = make_hub(window=2)
    hub.append([("a", time, float(time)) for time in range(5)] + [("b", 1, 1.0)])
    snapshot = hub.windows.snapshot(["b", "a", "nothing"])
    assert (snapshot.to, snapshot.evicted, snapshot.count) == (6, 3, 3)
    assert [(one.name, list(one.columns.seq)) for one in snapshot.series] == [
        ("b", [6]),
        ("a", [4, 5]),
        ("nothing", []),
    ]
