import socket
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from threading import Thread

import nats
import nats_servers
import pytest
from cluster.conftest import Join, run
from nats_servers import Servers

from tidegauge.errors import JournalUnusable, JournalUnwritable
from tidegauge.store.hub import Hub
from tidegauge.store.journal import Reading
from tidegauge.store.journal.jetstream import message, streams, transfer
from tidegauge.store.journal.jetstream.access import Access
from tidegauge.store.journal.sqlite.retention import Retention

Eventually = Callable[..., None]


def everything(hub: Hub) -> dict[str, list[tuple[int, int, float | None]]]:
    return {name: hub.read(name, 0) for name in hub.windows.names()}


def test_every_host_has_the_same_numbers(join: Join, eventually: Eventually) -> None:
    hosts = [join(), join()]
    eventually(lambda: not any(host.journal.problem for host in hosts))

    def push(host: Hub, series: str) -> None:
        for time in range(50):
            host.append([(series, time, float(time)), ("both", None, 1.0)])

    threads = [Thread(target=push, args=(host, f"of{number}")) for number, host in enumerate(hosts)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    eventually(lambda: hosts[0].windows.newest == hosts[1].windows.newest)
    assert everything(hosts[0]) == everything(hosts[1])
    assert sorted(everything(hosts[0])) == ["both", "of0", "of1"]
    assert [row[1] for row in hosts[1].read("of0", 0)] == list(range(50))
    assert hosts[0].journal.epoch == hosts[1].journal.epoch


def test_a_pusher_may_read_at_once_by_the_number_it_was_told(join: Join, eventually: Eventually) -> None:
    host = join()
    eventually(lambda: not host.journal.problem and not host.journal.behind)
    first = host.append([("a", 1, 1.0), ("b", 1, 2.0)]).seq
    last = host.append([("a", 2, 3.0)]).seq
    assert host.read("a", first) == [(last, 2, 3.0)]


def test_a_repeat_is_kept_once_whichever_host_it_reaches(join: Join, eventually: Eventually) -> None:
    """At the same moment: neither has the other's samples yet, and NATS knows the repeat by its id."""
    hosts = [join(), join()]
    eventually(lambda: not any(host.journal.problem for host in hosts))
    batch: list[Reading] = [("a", time, 1.0) for time in range(5000)]
    for _ in range(2):
        threads = [Thread(target=host.append, args=(batch, b"hash of the request")) for host in hosts]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    eventually(lambda: hosts[0].windows.newest == hosts[1].windows.newest > 0)
    for host in hosts:
        assert host.journal.state()["samples"] == 5000
    assert everything(hosts[0]) == everything(hosts[1])


def test_a_push_of_many_long_names_and_their_units_is_several_messages(join: Join, eventually: Eventually) -> None:
    """A server takes 1 MiB a message; here the names alone are more, and stand together."""
    host, other = join(max_series=7000), join(max_series=7000)
    eventually(lambda: not host.journal.problem and not other.journal.problem)
    long = [f"{number:04}" + 496 * "\N{BLACK CIRCLE}" for number in range(900)]
    names = [*long, *(f"short{number}" for number in range(6000))]
    host.append([(name, 1, 1.0) for name in names])
    host.note_units(dict.fromkeys(names, "W"))
    eventually(lambda: other.windows.names() == sorted(names) and other.windows.units == dict.fromkeys(names, "W"))


def test_a_host_that_returns_takes_what_it_has_missed(join: Join, eventually: Eventually) -> None:
    one, other = join("one"), join("other")
    eventually(lambda: not one.journal.problem and not other.journal.problem)
    other.append([("a", 1, 1.0)])
    other.journal.close()
    with pytest.raises(JournalUnwritable):
        other.append([("a", 2, 2.0)])
    one.append([("a", 3, None), ("b", 3, 3.0)])
    again = join("other")
    eventually(lambda: not again.journal.behind)
    eventually(lambda: everything(again) == everything(one))
    new = join("new")
    eventually(lambda: everything(new) == everything(one))


def test_what_is_deleted_on_one_host_is_gone_on_all(join: Join, eventually: Eventually) -> None:
    one, other = join("one"), join("other")
    eventually(lambda: not one.journal.problem and not other.journal.problem)
    one.append([("a", 1, 1.0), ("b", 1, 1.0)])
    one.note_units({"a": "C", "b": "%"})
    eventually(lambda: other.windows.units == {"a": "C", "b": "%"})
    other.delete(["a"])
    eventually(lambda: one.windows.names() == ["b"])
    one.append([("a", 2, 2.0)])
    eventually(lambda: "a" in other.windows and [row[1] for row in other.read("a", 0)] == [2])
    new = join("new")
    eventually(lambda: everything(new) == everything(one))
    assert new.windows.units == {"b": "%"}


def test_other_programs_write_to_the_stream(join: Join, servers: Servers, stream: str, eventually: Eventually) -> None:
    host = join(max_series=2)
    eventually(lambda: not host.journal.problem)

    async def publish() -> None:
        client = await nats.connect(servers.urls[0])
        for series, body in [
            ("room.temperature", b"21.5"),
            ("room.temperature", b"null"),
            ("room.temperature", b'{"value": 3, "time": 7}'),
            ("room.temperature", b"warm"),
            ("room.temperature", b"1e999"),
            ("room.temperature", b'{"value": 1, "time": 99999999999999999999}'),
            ("other", b"2"),
            ("third", b"3"),
        ]:
            await client.publish(f"{stream}.push.{series}", body)
        await client.publish(f"{stream}.batch", b"nonsense")
        await client.publish(f"{stream}.control", b"nonsense")
        await client.flush()
        await client.close()

    run(publish())
    with socket.create_connection((servers.nodes[0].address, nats_servers.CLIENTS)) as device:
        device.sendall(b"CONNECT {}\r\nPUB %s.push.\xff 1\r\n5\r\nPING\r\n" % stream.encode())
        while b"PONG" not in device.recv(4096):
            pass
    eventually(lambda: host.journal.state()["position"] == 11)
    rows = host.read("room.temperature", 0)
    assert [value for _, _, value in rows] == [21.5, None, 3.0]
    assert rows[2][1] == 7
    assert [seq // 4096 for seq, _, _ in rows] == [1, 2, 3]
    assert host.windows.names() == ["other", "room.temperature"]
    assert host.journal.state()["left_out"] == 7
    host.append([("other", 1, 1.0)])


def test_a_copy_that_is_damaged_is_taken_from_the_stream_anew(
    join: Join, tmp_path: Path, eventually: Eventually
) -> None:
    host = join("one")
    eventually(lambda: not host.journal.problem)
    host.append([("a", time, 1.0) for time in range(100)])
    eventually(lambda: host.windows.newest)
    host.journal.close()
    with closing(sqlite3.connect(tmp_path / "one/copy.sqlite")) as db, db:
        db.execute("UPDATE sample SET value = 7 WHERE time = 50")
    again = join("one")
    eventually(lambda: not again.journal.behind and again.windows.newest)
    assert [row[2] for row in again.read("a", 0)] == [1.0] * 100
    assert len(list((tmp_path / "one").glob("copy.sqlite.replaced-*"))) >= 1


def test_a_stream_that_is_gone_is_not_made_anew(
    join: Join, servers: Servers, stream: str, eventually: Eventually
) -> None:
    host, other = join("one"), join("other")
    eventually(lambda: not host.journal.problem)
    host.append([("a", 1, 1.0)])
    eventually(lambda: other.windows.newest)
    other.journal.close()

    async def delete() -> None:
        client = await nats.connect(servers.urls[0])
        await client.jetstream(timeout=30).delete_stream(stream)
        await client.close()

    run(delete())
    eventually(lambda: f"the stream '{stream}' is gone" in host.journal.problem)
    with pytest.raises(JournalUnwritable, match="is gone"):
        host.append([("a", 2, 1.0)])
    assert host.read("a", 0) == [(4096, 1, 1.0)]
    with pytest.raises(JournalUnusable, match="is gone"):
        join("new")
    again = join("other")  # it has its copy, and shows it
    assert again.read("a", 0) == [(4096, 1, 1.0)]

    epoch = run(transfer.renew(Access(servers.urls), stream, Retention()))
    eventually(lambda: f"has the epoch {epoch}" in host.journal.problem)
    again.journal.close()
    renewed = join("other")
    assert renewed.journal.epoch == epoch != again.journal.epoch
    assert renewed.windows.names() == []
    eventually(lambda: not renewed.journal.problem)
    renewed.append([("a", 1, 1.0)])


def test_a_stream_that_has_other_messages_than_were_taken_is_refused(
    join: Join, servers: Servers, stream: str, eventually: Eventually
) -> None:
    """As if its servers had lost what they had not synced, and had gone on above it since."""
    host = join("one")
    eventually(lambda: not host.journal.problem)
    for time in range(3):
        host.append([("a", time, 1.0)])
    eventually(lambda: len(host.read("a", 0)) == 3)
    host.journal.close()

    async def go_on_without_the_last() -> None:
        client = await nats.connect(servers.urls[0])
        context = client.jetstream(timeout=30)
        await context.delete_stream(stream)
        await streams.make(context, stream, 3, Retention(), epoch=host.journal.epoch)
        for time in (0, 1, 5, 6):
            body = message.body([("a", time, 1.0)])
            await context.publish(f"{stream}.batch", body)
        await client.close()

    run(go_on_without_the_last())
    again = join("one")
    eventually(lambda: "has another message 3 than was taken" in again.journal.problem)
    with pytest.raises(JournalUnwritable, match="journal renew"):
        again.append([("a", 9, 1.0)])
    assert [row[1] for row in again.read("a", 0)] == [0, 1, 2]
