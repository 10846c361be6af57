from collections.abc import Callable
from pathlib import Path

import pytest
from cluster.conftest import Join, run
from cluster.test_journal import everything
from nats_servers import Servers

from tidegauge.errors import JournalUnusable
from tidegauge.store.hub import Hub
from tidegauge.store.journal.jetstream import comparison, transfer
from tidegauge.store.journal.jetstream.access import Access
from tidegauge.store.journal.sqlite.journal import SqliteJournal
from tidegauge.store.journal.sqlite.retention import Retention


def opened(path: Path) -> Hub:
    hub = Hub(SqliteJournal(path), window=1000, max_series=1000)
    hub.open()
    return hub


def filled(path: Path) -> Hub:
    """A journal with gaps, a deleted series, a unit, and more samples of one time than a message takes."""
    hub = opened(path)
    hub.append([("gone", 1, 1.0)])
    hub.delete(["gone"])
    for push in range(20):
        hub.append([(f"s{number % 7}", 1000 * push + number, number / 3) for number in range(700)])
    hub.append([("s0", 99_000, None), ("wide", 5, -0.0)])
    hub.note_units({"s0": "W"})
    hub.journal.close()
    return hub


class Broken(Exception):
    pass


def test_a_journal_moves_into_a_stream_and_back(
    join: Join, servers: Servers, stream: str, tmp_path: Path, eventually: Callable[..., None]
) -> None:
    access, source, target = Access(servers.urls), tmp_path / "journal.sqlite", tmp_path / "back.sqlite"
    before = filled(source)
    seen: list[tuple[int, int]] = []

    def break_off(*_: int) -> None:
        raise Broken

    served = opened(source)
    with pytest.raises(JournalUnusable, match="writes to it"):
        run(transfer.into_stream(source, access, stream, Retention(), break_off))
    served.journal.close()
    with pytest.raises(Broken):
        run(transfer.into_stream(source, access, stream, Retention(), break_off))
    totals = run(transfer.into_stream(source, access, stream, Retention(), lambda *how_far: seen.append(how_far)))
    assert sum(count for count, _ in totals.values()) == 14_002
    assert seen[-1][0] == seen[-1][1]

    host = join()
    eventually(lambda: not host.journal.behind and not host.journal.problem)
    assert host.journal.epoch == before.journal.epoch
    assert {name: [row[1:] for row in rows] for name, rows in everything(host).items()} == {
        name: [row[1:] for row in rows] for name, rows in everything(opened_again(source)).items()
    }
    assert min(rows[0][0] for rows in everything(host).values()) > before.windows.newest
    assert host.windows.units == {"s0": "W"}
    host.append([("s0", 100_000, 1.0)])
    with pytest.raises(JournalUnusable, match="samples of its own"):
        run(transfer.into_stream(source, access, stream, Retention(), lambda *_: None))

    with pytest.raises(JournalUnusable, match="what the stream was made from"):
        run(transfer.into_file(access, stream, source, lambda *_: None))
    with pytest.raises(Broken):
        run(transfer.into_file(access, stream, target, break_off))
    run(transfer.into_file(access, stream, target, lambda *_: None))
    back = opened(target)
    assert (back.journal.epoch, everything(back), back.journal.losses) == (host.journal.epoch, everything(host), [])
    assert back.append([("s0", 101_000, 1.0)]).seq == host.windows.newest + 1
    back.journal.close()


def opened_again(path: Path) -> Hub:
    hub = opened(path)
    hub.journal.close()
    return hub


def test_a_copy_that_differs_is_named() -> None:
    wanted = {"a": (2, 7), "b": (1, 3)}
    with pytest.raises(JournalUnusable, match="2 samples were there, 1 are here"):
        comparison.agree(wanted, {"a": (1, 7), "b": (1, 3)})
    with pytest.raises(JournalUnusable, match="samples differ"):
        comparison.agree(wanted, {"a": (2, 8), "b": (1, 3)})


def test_a_file_of_another_epoch_is_refused(servers: Servers, stream: str, tmp_path: Path) -> None:
    access = Access(servers.urls)
    for name in ("one.sqlite", "other.sqlite"):
        filled(tmp_path / name)
    run(transfer.into_stream(tmp_path / "one.sqlite", access, stream, Retention(), lambda *_: None))
    for copy in (
        transfer.into_stream(tmp_path / "other.sqlite", access, stream, Retention(), lambda *_: None),
        transfer.into_file(access, stream, tmp_path / "other.sqlite", lambda *_: None),
    ):
        with pytest.raises(JournalUnusable, match="is of the epoch"):
            run(copy)
