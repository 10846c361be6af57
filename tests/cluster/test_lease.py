"""Of several hosts one samples, and another when that one is gone."""

import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from time import sleep

import pytest
from cluster.conftest import Join
from nats_servers import Servers

from tidegauge.errors import JournalUnwritable
from tidegauge.store.hub import Hub
from tidegauge.store.journal.jetstream import lease
from tidegauge.store.journal.jetstream.journal import JetStreamJournal

TAKEN_OVER_S = 10.0


class Host:
    """A host that is able to sample."""

    def __init__(self, hub: Hub) -> None:
        self.hub = hub
        assert isinstance(hub.journal, JetStreamJournal)
        self.journal = hub.journal
        hub.journal.campaign()

    @property
    def is_leader(self) -> bool:
        return self.journal.is_leader


def test_one_host_of_several_samples(join: Join, eventually: Callable[..., None]) -> None:
    hosts = [Host(join()) for _ in range(3)]
    eventually(lambda: sum(host.is_leader for host in hosts) == 1)
    first = next(host for host in hosts if host.is_leader)
    sleep(lease.TTL_S + 1)  # longer than NATS would keep it without its being renewed
    assert [host for host in hosts if host.is_leader] == [first]


def test_another_host_samples_at_once_when_one_ends(
    join: Join, eventually: Callable[..., None], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lease, "TTL_S", 100.0)  # that which ends it is not its age
    hosts = [Host(join()) for _ in range(2)]
    eventually(lambda: sum(host.is_leader for host in hosts) == 1)
    first, other = sorted(hosts, key=lambda host: not host.is_leader)
    first.journal.close()
    assert not first.is_leader
    eventually(lambda: other.is_leader, TAKEN_OVER_S)


def test_a_host_that_is_cut_off_ends_before_another_begins(
    join: Join, eventually: Callable[..., None], monkeypatch: pytest.MonkeyPatch
) -> None:
    hosts = [Host(join()) for _ in range(2)]
    eventually(lambda: sum(host.is_leader for host in hosts) == 1)
    first, other = sorted(hosts, key=lambda host: not host.is_leader)

    async def refuse(server: str) -> None:
        raise ConnectionRefusedError(server)

    connection = first.journal._connection
    monkeypatch.setattr(connection, "_connect_and_go", refuse)
    connection.soon(connection._disconnect)
    eventually(lambda: other.is_leader, TAKEN_OVER_S)
    assert not first.is_leader
    eventually(lambda: "NATS is away" in first.journal.problem)
    with pytest.raises(JournalUnwritable, match="NATS is away"):
        first.hub.append([("a", 1, 1.0)])


def test_a_server_of_a_developer_ends_its_samplers_at_once(
    servers: Servers, tmp_path: Path, eventually: Callable[..., None]
) -> None:
    settings = {"TIDEGAUGE_JOURNAL": servers.url, "TIDEGAUGE_JOURNAL_COPY": str(tmp_path / "copy.sqlite")}
    environment = {**os.environ, **settings, "TIDEGAUGE_RUN": str(tmp_path / "run")}
    log = tmp_path / "log"
    with log.open("w") as written:
        # Who runs the tests in the background may have them ignore SIGINT.
        flask = ["env", "--default-signal=INT", sys.executable, "-m", "flask", "--app", "wsgi", "run", "--port", "0"]
        process = subprocess.Popen(flask, env=environment, stdout=written, stderr=written)
    try:
        eventually(lambda: "Samplers run here" in log.read_text(), within_s=60)
        process.send_signal(signal.SIGINT)
        assert process.wait(30) == 0, log.read_text()
    finally:
        process.kill()
    assert "Samplers run here no more" in log.read_text()
    assert "Traceback" not in log.read_text()
