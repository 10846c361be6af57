"""How hosts and devices are let in: by passwords, keys and certificates; and by MQTT."""

import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from shutil import which
from tempfile import mkdtemp

import certificate
import nats_servers
import pytest
from cluster.conftest import open_hub
from nats_servers import Servers

from tidegauge.errors import JournalUnusable, SettingsRefused
from tidegauge.settings import load_settings
from tidegauge.store.hub import Hub
from tidegauge.store.journal.jetstream.access import Access
from tidegauge.store.journal.jetstream.journal import JetStreamJournal
from tidegauge.store.journal.sqlite.retention import Retention

# Made for these tests by `nk -gen user`'s own library.
SEED = "SUACSSL3UAHUDXKFSNVUZRF5UHPMWZ6BFDTJ7M6USDXIEDNPPQYYYCU3VY"
PUBLIC = "UDXU4RCSJNZOIQHZNWXHXORDPRTGNJAHAHFRGZNEEJCPQTT2M7NLCNF4"


@contextmanager
def joined(servers: Servers, folder: Path, credentials: str = "", ca: str = "", scheme: str = "nats") -> Iterator[Hub]:
    """Open a host that was never here before."""
    folder = Path(mkdtemp(dir=folder))
    file = folder / "credentials"
    file.write_text(credentials)
    file.chmod(0o600)
    urls = tuple(url.replace("nats:", f"{scheme}:") for url in servers.urls)
    access = Access(urls, str(file) if credentials else "", ca)
    hub = Hub(JetStreamJournal(access, "tidegauge", folder / "copy.sqlite", Retention()), window=10, max_series=10)
    try:
        open_hub(hub)
        yield hub
    finally:
        hub.journal.close()


@pytest.mark.parametrize(
    ("asked", "shown", "wrong"),
    [
        ("authorization { user: tide, password: 'of the: tests' }", "tide:of the: tests\n", "tide:another"),
        (f"authorization {{ users: [ {{ nkey: {PUBLIC} }} ] }}", f"{SEED}\n", "tide:another"),
    ],
    ids=["password", "NKey"],
)
def test_servers_that_ask_who_comes(
    asked: str, shown: str, wrong: str, tmp_path: Path, eventually: Callable[..., None]
) -> None:
    with nats_servers.running(1, more=asked) as servers:
        for refused in (wrong, ""):
            with pytest.raises(JournalUnusable, match="Authorization"), joined(servers, tmp_path, refused):
                pass
        with joined(servers, tmp_path, shown) as hub:
            eventually(lambda: not hub.journal.problem)
            hub.append([("a", 1, 1.0)])


def test_servers_that_speak_tls(
    tmp_path: Path, eventually: Callable[..., None], require: Callable[[bool, str], None]
) -> None:
    require(which("openssl") is not None, "needs openssl: apt-get install openssl")
    network = nats_servers.next_network()
    pem = certificate.make(tmp_path, f"{network}.10")
    asked = f"tls {{ cert_file: '{pem.certificate}', key_file: '{pem.key}' }}"
    with nats_servers.running(1, network=network, more=asked) as servers:
        with joined(servers, tmp_path, ca=str(pem.certificate), scheme="tls") as hub:
            eventually(lambda: not hub.journal.problem)
            hub.append([("a", 1, 1.0)])
        with pytest.raises(JournalUnusable, match="certificate"), joined(servers, tmp_path, scheme="tls"):
            pass


def test_servers_that_take_only_small_messages_are_refused(tmp_path: Path) -> None:
    refusal = "NATS takes 65536 bytes a message: set its max_payload to 524288 or more"
    with (
        nats_servers.running(1, more="max_payload: 65536") as servers,
        pytest.raises(JournalUnusable, match=refusal),
        joined(servers, tmp_path),
    ):
        pass


def test_credentials_that_everybody_may_read_are_refused(tmp_path: Path) -> None:
    file = tmp_path / "credentials"
    file.write_text(SEED)
    file.chmod(0o644)
    with pytest.raises(SettingsRefused, match="everybody may read this file: chmod 640"):
        load_settings({"TIDEGAUGE_NATS_CREDENTIALS": str(file)})
    file.chmod(0o640)
    load_settings({"TIDEGAUGE_NATS_CREDENTIALS": str(file)})


def test_devices_that_speak_mqtt_push(
    tmp_path: Path, eventually: Callable[..., None], require: Callable[[bool, str], None]
) -> None:
    require(which("mosquitto_pub") is not None, "needs mosquitto_pub: apt-get install mosquitto-clients")
    with nats_servers.running(1, more="mqtt { port: 1883 }") as servers, joined(servers, tmp_path) as hub:
        eventually(lambda: not hub.journal.problem)
        [node] = servers.nodes
        for quality in ("0", "1"):
            command = ["mosquitto_pub", "-h", node.address, "-t", "tidegauge/push/room/temperature", "-q", quality]
            subprocess.run([*command, "-m", f"21.{quality}"], check=True, timeout=10)
        eventually(lambda: hub.windows.newest and len(hub.read("room.temperature", 0)) == 2)
        assert [value for _, _, value in hub.read("room.temperature", 0)] == [21.0, 21.1]


def test_a_host_that_was_never_here_opens_once_its_servers_answer(
    tmp_path: Path, eventually: Callable[..., None]
) -> None:
    with nats_servers.running(1) as servers:
        [node] = servers.nodes
        node.kill()
        journal = JetStreamJournal(Access(servers.urls), "tidegauge", tmp_path / "copy.sqlite", Retention())
        hub = Hub(journal, window=10, max_series=10)
        with pytest.raises(JournalUnusable):
            hub.open()
        node.start()
        open_hub(hub)
        eventually(lambda: not hub.journal.problem and not hub.journal.behind)
        hub.append([("a", 1, 1.0)])
        eventually(lambda: "a" in hub.windows and hub.read("a", 0))
        hub.journal.close()
