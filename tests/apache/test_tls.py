"""HTTPS by the complete Apache itself, and behind a proxy that ends it."""

import os
import re
import socket
import ssl
import subprocess
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Event
from urllib.request import urlopen

import certificate
import pytest
from certificate import Certificate
from served import ROOT, TOKEN, Served

KEYS = {"status", "title", "detail", "instance", "cure"}


def hello(server: Served, lenient: Path, *options: str) -> str:
    """What openssl says of a handshake with *options*, from a side that takes everything."""
    command = ["openssl", "s_client", "-connect", f"127.0.0.1:{server.port}", *options]
    environ = os.environ | {"OPENSSL_CONF": str(lenient)}
    done = subprocess.run(
        command, env=environ, capture_output=True, text=True, stdin=subprocess.DEVNULL, check=False, timeout=30
    )
    return done.stdout + done.stderr


def presented(server: Served) -> str:
    """The certificate that a new connection is shown."""
    return ssl.get_server_certificate(("127.0.0.1", server.port), timeout=10)


@pytest.mark.parametrize("version", ["1.2", "1.3"])
def test_tls_is_spoken_without_compression_and_with_http_1_1_alone(secure: Served, lenient: Path, version: str) -> None:
    said = hello(secure, lenient, f"-tls{version.replace('.', '_')}", "-alpn", "h2,http/1.1")
    assert f"New, TLSv{version}, Cipher is " in said
    assert "Compression: NONE" in said
    assert "ALPN protocol: http/1.1" in said


@pytest.mark.parametrize("version", ["-tls1", "-tls1_1"])
def test_an_older_tls_is_refused(secure: Served, lenient: Path, version: str) -> None:
    assert "alert protocol version" in hello(secure, lenient, version)


@pytest.mark.parametrize("cipher", ["ECDHE-ECDSA-AES128-SHA", "ECDHE-ECDSA-AES256-SHA384", "ECDHE-ECDSA-NULL-SHA"])
def test_a_cipher_that_does_not_authenticate_what_it_encrypts_is_refused(
    secure: Served, lenient: Path, cipher: str
) -> None:
    assert "alert handshake failure" in hello(secure, lenient, "-tls1_2", "-cipher", cipher)


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def test_no_session_is_resumed(secure: Served, version: ssl.TLSVersion) -> None:
    context = ssl.create_default_context(cafile=secure.certificate)
    context.maximum_version = version
    session = None
    for _ in range(2):
        with (
            socket.create_connection(("127.0.0.1", secure.port), timeout=10) as plain,
            context.wrap_socket(plain, server_hostname="127.0.0.1", session=session) as connection,
        ):
            connection.sendall(b"GET /health/live HTTP/1.0\r\n\r\n")
            while connection.recv(65536):  # what is resumed in TLS 1.3 comes with the answer
                pass
            session = connection.session
            assert not connection.session_reused


def test_a_browser_is_told_to_come_by_https_and_other_names_are_not(secure: Served) -> None:
    for path in ("/", "/health", "/feeds/server/tail.json", "/static/nothing", "/nothing"):
        assert secure.ask(path).headers["Strict-Transport-Security"] == "max-age=31536000", path
    assert "Strict-Transport-Security" not in secure.ask("/", Host="evil.example").headers


def test_http_says_nothing_of_https(server: Served) -> None:
    assert "Strict-Transport-Security" not in server.ask("/").headers


def test_a_request_by_http_gets_an_error_of_the_one_shape(secure: Served) -> None:
    plain = Served(secure.port, {})
    for path in ("/", "/feeds/server/tail.json", "/nothing"):
        answer = plain.ask(path)
        assert (answer.status, set(answer.json)) == (400, KEYS)
        assert "https://" in answer.json["cure"]


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "web1"])
def test_hosts_are_told_apart_as_without_tls(secure: Served, host: str) -> None:
    assert secure.ask("/", Host=host).status == 200
    assert secure.ask("/", Host="evil.example").json["status"] == 421


def test_the_vitals_come_by_http_on_loopback(secure: Served, eventually: Callable[..., None]) -> None:
    assert Served(secure.port + 1, {}).ask("/server-status").status == 200

    def newest() -> dict[str, float | None]:
        return {one["name"]: one["value"] for one in secure.ask("/api/series").json["series"]}

    eventually(lambda: newest().get("apache.busy_workers"), within_s=15)


def test_a_push_and_the_commands_of_this_host_use_it(secure: Served, tmp_path: Path) -> None:
    secure.push({"name": "by.tls", "value": 1})
    rows = tmp_path / "rows.csv"
    rows.write_text("name,time,value\nby.tls,1795000000000,2\n")
    command = [str(ROOT / ".venv/bin/flask"), "--app", "wsgi", "series", "import", str(rows)]
    environ = secure.environ | {"TIDEGAUGE_JOURNAL": str(secure.journal)}
    done = subprocess.run(command, env=environ, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert set(secure.ask("/api/series?name=by.tls").json["v"]) == {1, 2}


def test_nothing_of_a_start_or_a_handshake_is_complained_of(secure: Served) -> None:
    messages = [line for line in secure.log.splitlines() if re.match(r"\[[^]]*\] \[ssl:|\[[^]]*\] \[\w*:warn", line)]
    assert messages == []


def test_a_reload_takes_a_renewed_certificate_and_fails_no_poll(secure: Served, pem: Certificate) -> None:
    before, pid = presented(secure), secure.daemon_pid
    secure.command("reload")
    assert (presented(secure), secure.daemon_pid != pid) == (before, True)
    certificate.make(pem.key.parent)
    assert presented(secure) == before
    polls, done = [], Event()

    def poll() -> None:
        unchecked = ssl._create_unverified_context()  # noqa: S323 - it shows either
        url = f"{secure.url}feeds/server/tail.json"
        while not done.is_set():
            with urlopen(url, timeout=10, context=unchecked) as one:
                polls.append(one.status)

    with ThreadPoolExecutor(4) as pool:
        polling = [pool.submit(poll) for _ in range(4)]
        try:
            said = secure.command("reload")
        finally:
            done.set()
        for one in polling:
            one.result()
    assert set(polls) == {200}
    assert presented(secure) == pem.certificate.read_text() != before
    assert f"https://localhost:{secure.port}/ is served with the new code" in said


def test_a_renewed_certificate_that_cannot_be_used_is_refused_and_the_old_one_stays(
    secure: Served, pem: Certificate
) -> None:
    before, key = presented(secure), pem.key.read_text()
    pem.key.write_text("not a key")
    environ = {name: value for name, value in secure.environ.items() if not name.startswith("TIDEGAUGE_TLS_")}
    for one in (secure.environ, environ):
        done = subprocess.run([ROOT / "apache/serve", "reload"], env=one, capture_output=True, text=True, check=False)
        assert done.returncode != 0
        assert f"TIDEGAUGE_TLS_KEY is '{pem.key}': expected the PEM file of the certificate's key" in done.stderr
    os.kill(secure.daemon_pid, 9)  # nor does Python mind, whenever it starts
    secure.wait_ready()
    assert presented(secure) == before
    pem.key.write_text(key)


def test_a_key_that_cannot_be_read_stops_the_start(secure: Served, pem: Certificate) -> None:
    pem.key.chmod(0o600)
    try:
        environ = secure.environ | {"TIDEGAUGE_RUN": f"{secure.run}-other"}
        user = ["setpriv", "--reuid=tidegauge", "--regid=tidegauge", "--clear-groups"] if os.geteuid() == 0 else []
        root = Path(f"/opt/tidegauge/{secure.port}") if user else ROOT
        done = subprocess.run(
            [*user, root / "apache/httpd-foreground"], env=environ, capture_output=True, text=True, check=False
        )
    finally:
        pem.key.chmod(0o644)
    assert (done.returncode, TOKEN in done.stderr) == (2, False)
    assert f"TIDEGAUGE_TLS_KEY is '{pem.key}'" in done.stderr
    assert "Permission denied" in done.stderr
