import gzip
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from memory_hub import memory_hub

from tidegauge.publish import feed
from tidegauge.publish import publisher as publisher_module
from tidegauge.publish.feed import Encoder
from tidegauge.publish.folder import BLOCK_BYTES, ServedFolder
from tidegauge.publish.publisher import Publisher
from tidegauge.store.hub import Hub


@pytest.fixture
def hub() -> Hub:
    return memory_hub(window=100, max_series=10)


def make_publisher(hub: Hub, folder: Path, **feeds: list[str]) -> Publisher:
    encoder = Encoder(hub, build="b", poll_ms=2000)
    feeds = feeds or {"x": ["a", "b"]}
    return Publisher(hub, ServedFolder(folder / "feeds"), feeds, {}, encoder=encoder, publish_ms=50)


def read(folder: Path, file: str = "tail.json") -> Any:
    return json.loads((folder / "feeds/x" / file).read_bytes())


def test_both_files_are_there_from_the_start_and_name_every_series(hub: Hub, tmp_path: Path) -> None:
    publisher = make_publisher(hub, tmp_path)
    publisher.start()
    publisher.stop()
    tail, window = read(tmp_path), read(tmp_path, "window.json")
    assert (tail["from"], tail["to"], window["to"]) == (0, 0, 0)
    assert tail["epoch"] == window["epoch"] == hub.journal.epoch
    assert tail["series"] == [{"name": name, "seq": [], "t": [], "v": []} for name in "ab"]
    assert window["series"] == [{"name": name, "from": 0, "t": [], "v": []} for name in "ab"]


def test_what_is_appended_is_in_the_tail_soon(hub: Hub, tmp_path: Path, eventually: Callable[..., None]) -> None:
    publisher = make_publisher(hub, tmp_path)
    publisher.start()
    hub.append([("a", 1000, 1.5), ("b", 1001, None), ("elsewhere", 1002, 3.0)])
    eventually(lambda: read(tmp_path)["to"] == 2)
    publisher.stop()
    assert read(tmp_path)["series"] == [
        {"name": "a", "seq": [1], "t": [1000], "v": [1.5]},
        {"name": "b", "seq": [2], "t": [1001], "v": [None]},
    ]


def test_the_compressed_window_is_the_plain_one(hub: Hub, tmp_path: Path) -> None:
    hub.append([("a", time, float(time)) for time in range(50)])
    publisher = make_publisher(hub, tmp_path)
    publisher.start()
    publisher.stop()
    plain = (tmp_path / "feeds/x/window.json").read_bytes()
    assert json.loads(gzip.decompress((tmp_path / "feeds/x/window.json.gz").read_bytes())) == json.loads(plain)


def test_plain_files_are_padded_and_never_shrink_not_even_across_a_restart(hub: Hub, tmp_path: Path) -> None:
    hub.append([("a", time, time / 7) for time in range(100)])
    publisher = make_publisher(hub, tmp_path)
    publisher.start()
    publisher.stop()
    size = (tmp_path / "feeds/x/window.json").stat().st_size
    assert size % BLOCK_BYTES == 0
    again = make_publisher(memory_hub(window=100, max_series=10), tmp_path)
    again.start()
    again.stop()
    assert (tmp_path / "feeds/x/window.json").stat().st_size == size
    assert read(tmp_path, "window.json")["to"] == 0


def test_a_tail_is_written_though_nothing_changes_so_that_its_time_proves_a_living_publisher(
    hub: Hub, tmp_path: Path, eventually: Callable[..., None], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(publisher_module, "HEARTBEAT_S", 0.2)
    publisher = make_publisher(hub, tmp_path)
    publisher.start()
    first = read(tmp_path)["time"]
    eventually(lambda: read(tmp_path)["time"] > first)
    publisher.stop()


def test_a_burst_beyond_the_tail_goes_through_the_window(hub: Hub, tmp_path: Path) -> None:
    publisher = make_publisher(hub, tmp_path)
    publisher.start()
    publisher.stop()
    hub.append([("a", time, 1.0) for time in range(5000)])
    publisher.publish(publisher._feeds[0])
    tail, window = read(tmp_path), read(tmp_path, "window.json")
    assert (tail["from"], tail["to"], window["to"]) == (5000, 5000, 5000)
    assert window["series"][0]["from"] == 4900
    assert len(window["series"][0]["t"]) == 100


def test_feeds_of_dashboards_that_are_gone_are_removed(hub: Hub, tmp_path: Path) -> None:
    (tmp_path / "feeds/gone").mkdir(parents=True)
    publisher = make_publisher(hub, tmp_path)
    publisher.start()
    publisher.stop()
    assert [path.name for path in (tmp_path / "feeds").iterdir()] == ["x"]


def test_a_publisher_that_cannot_write_says_why_and_goes_on_when_it_can(
    hub: Hub, tmp_path: Path, eventually: Callable[..., None], caplog: pytest.LogCaptureFixture
) -> None:
    publisher = make_publisher(hub, tmp_path)
    publisher.start()
    (tmp_path / "feeds/x").rename(tmp_path / "feeds/away")
    hub.append([("a", 1000, 1.0)])
    eventually(lambda: publisher.problem)
    assert publisher.problem == "FileNotFoundError: No such file or directory"
    (tmp_path / "feeds/away").rename(tmp_path / "feeds/x")
    eventually(lambda: read(tmp_path)["to"] == 1 and not publisher.problem)
    publisher.stop()
    assert caplog.text.count("The publisher cannot write the feeds") == 1


def test_a_pattern_names_every_series_that_matches_as_they_come(hub: Hub, tmp_path: Path) -> None:
    publisher = make_publisher(hub, tmp_path, x=["cpu{*}"])
    [feed] = publisher._feeds
    publisher.start()
    publisher.stop()
    assert read(tmp_path)["series"] == []
    hub.append([("cpu{b}", 1, 1.0), ("mem{a}", 1, 1.0)])
    publisher.publish(feed)
    hub.append([("cpu{a}", 2, 2.0)])
    publisher.publish(feed)
    assert [one["name"] for one in read(tmp_path)["series"]] == ["cpu{a}", "cpu{b}"]
    hub.delete(["cpu{b}"])
    hub.append([("cpu{a}", 3, 2.0)])
    publisher.publish(feed)
    assert [one["name"] for one in read(tmp_path)["series"]] == ["cpu{a}"]


def test_of_a_pattern_that_matches_too_many_the_first_are_published_and_the_rest_counted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(feed, "MATCHING", 3)
    hub = memory_hub(window=10, max_series=10)
    hub.append([(f"s{n}", 1, 1.0) for n in range(5)])
    publisher = make_publisher(hub, tmp_path, x=["s*"])
    publisher.start()
    publisher.stop()
    assert ([one["name"] for one in read(tmp_path)["series"]], read(tmp_path, "window.json")["omitted"]) == (
        ["s0", "s1", "s2"],
        2,
    )


def test_a_unit_that_an_agent_names_is_published(hub: Hub, tmp_path: Path) -> None:
    hub.append([("a", 1, 1.0)])
    hub.note_units({"a": "ms", "unknown": "s"})
    publisher = make_publisher(hub, tmp_path)
    publisher.start()
    publisher.stop()
    assert [one.get("unit") for one in read(tmp_path)["series"]] == ["ms", None]
