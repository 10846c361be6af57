"""What the CIS Apache HTTP Server 2.4 Benchmark asks for, on the running server. Where we deviate, and why:

| section | asked for | here |
|---|---|---|
| 2.4 | no mod_status | on a listener of its own on loopback: the dashboard `server` draws its numbers |
| 5.1, 5.2 | Options None | FollowSymLinks: else a poll costs 8 us of lstat(); only the server writes what is served |
| 5.10, 5.11 | refuse .ht* and file extensions | only the server writes what is served, so there are none |
| 5.12 | refuse requests by IP address | so it is reached before it has a name; names with dots are listed |
| 6.1 | LogLevel notice core:info | warn: mod_wsgi's notices are many; what Apache says at a start comes all the same |
| 6.2, 6.4 | syslog, rotation | logs go to stderr and stdout: the engine or systemd keeps and rotates them |
| 6.6, 6.7 | ModSecurity and its rules | pushes are refused by their token, all other bodies at once |
| 7.9 | OCSP stapling | few certificates name an OCSP server any more; all else of section 7 is in test_tls.py |
| 9.1 | Timeout 10 | 30: for what Python answers. Heads and bodies have 5 s, and more only while they come |
| 10.1, 10.3 | a request line of 512 bytes, a header of 1,024 | Apache's 8,190: Explore's addresses name series |
| 10.4 | a body of 102,400 bytes | none at all; with a token 16 MiB |
"""

import os
import pwd
import re
import shutil
import socket
import stat
import subprocess
from collections.abc import Callable
from pathlib import Path
from time import monotonic

import psutil
import pytest
from served import ROOT, TOKEN, Served

CONF = (ROOT / "apache/httpd.conf").read_text()
NEEDED = {"mpm_event", "authz_core", "alias", "allowmethods", "headers", "mime", "reqtimeout", "rewrite", "status"}


def apache(server: Served) -> psutil.Process:
    return psutil.Process(int((server.run / "apache.pid").read_text()))


def root(server: Served) -> Path:
    """Where its code is."""
    return Path(f"/opt/tidegauge/{server.port}") if os.geteuid() == 0 else ROOT


def modules(server: Served) -> set[str]:
    paths = {Path(one.path).name for one in apache(server).memory_maps() if "/mod_" in one.path}
    return {re.sub(r"^mod_|\.so$|-.*$", "", path) for path in paths}


def test_the_modules_are_those_that_are_needed(server: Served, secure: Served) -> None:
    assert modules(server) == NEEDED | {"wsgi"}
    assert modules(secure) == NEEDED | {"wsgi", "ssl"}


# mod_status has no directive of its own; without it test_apache.py finds no vitals.
@pytest.mark.parametrize("module", sorted((NEEDED | {"wsgi", "ssl"}) - {"status"}))
def test_no_module_can_be_left_out(server: Served, secure: Served, tmp_path: Path, module: str) -> None:
    conf = tmp_path / "httpd.conf"
    (without, found) = re.subn(rf"(?m)^ *LoadModule {module}_module .*\n", "", CONF)
    assert found == 1
    if module == "wsgi":  # tidegauge.conf would take its own
        without = f"{without}\n".replace('Include "${TIDEGAUGE_APACHE}/tidegauge.conf"', "")
    conf.write_text(without)
    environ = apache(secure if module == "ssl" else server).environ()
    options = ["-DTLS"] if module == "ssl" else []
    command = ["/usr/sbin/apache2", "-t", "-f", str(conf), *options]
    done = subprocess.run(command, env=environ, capture_output=True, text=True, check=False)
    assert done.returncode != 0
    assert "Invalid command" in done.stderr or "No MPM loaded" in done.stderr, done.stderr


def test_it_runs_as_a_user_who_is_not_root_and_cannot_log_in(server: Served) -> None:
    if os.geteuid() != 0:
        pytest.skip("started by another user, it runs as that user")
    user = pwd.getpwnam("tidegauge")
    assert user.pw_uid != 0
    assert user.pw_shell == "/usr/sbin/nologin"
    fields = dict(line.split(":")[:2] for line in Path("/etc/shadow").read_text().splitlines())
    assert fields["tidegauge"].startswith(("!", "*"))
    family = [apache(server), *apache(server).children(recursive=True)]
    assert {uid for one in family for uid in one.uids()} == {user.pw_uid}
    assert {gid for one in family for gid in one.gids()} == {user.pw_gid}


def test_it_listens_where_it_was_told_to_and_nowhere_else(server: Served) -> None:
    listening = {
        one.laddr for one in apache(server).net_connections("inet") if one.status == psutil.CONN_LISTEN
    }  # fmt: skip
    assert {tuple(address) for address in listening} == {("127.0.0.1", server.port), ("127.0.0.1", server.port + 1)}


def _modes(folder: Path) -> dict[Path, os.stat_result]:
    return {path: path.lstat() for path in [folder, *folder.rglob("*")] if not path.is_symlink()}


def test_what_it_runs_is_roots_and_nobody_else_writes_anything(server: Served) -> None:
    if os.geteuid() != 0:
        pytest.skip("from a clone it runs what its user wrote")
    user = pwd.getpwnam("tidegauge").pw_uid
    code = {
        path: found
        for path, found in _modes(root(server)).items()
        if "assets" not in path.relative_to(root(server)).parts
    }
    assert [path for path, found in code.items() if found.st_uid != 0 or found.st_mode & 0o022] == []
    written = _modes(server.run) | _modes(server.journal.parent) | _modes(root(server) / "assets")
    for path, found in written.items():
        assert (found.st_uid, found.st_mode & 0o022) == (user, 0), path


def test_what_others_have_no_need_to_read_they_cannot(server: Served) -> None:
    paths = [server.journal.parent, server.run / "tokens", *server.run.glob("wsgi.*")]
    if os.geteuid() == 0:
        paths.append(Path(f"/var/log/tidegauge-{server.port}.log"))
    assert [path for path in paths if path.stat().st_mode & stat.S_IRWXO] == []
    assert len(paths) >= 3


def test_the_umask_lets_nobody_else_write(server: Served) -> None:
    family = [apache(server), *apache(server).children(recursive=True)]
    masks = {re.findall(r"Umask:\t(\d+)", Path(f"/proc/{one.pid}/status").read_text())[0] for one in family}
    assert masks == {"0022"}


@pytest.mark.parametrize("folder", ["/feeds/", "/feeds/server/", "/static/", "/static/errors/", "/pages/"])
def test_no_folder_is_listed(server: Served, folder: str) -> None:
    assert server.ask(folder).json["status"] == 404


@pytest.mark.parametrize("path", ["/icons/", "/cgi-bin/printenv", "/manual/", "/server-status", "/server-info"])
def test_nothing_of_apaches_own_content_is_there(server: Served, path: str) -> None:
    assert server.ask(path).status == 404


def test_an_htaccess_changes_nothing(server: Served) -> None:
    for folder, url in (
        (server.run / "feeds", "/feeds/front.json"),
        (root(server) / "assets", "/static/errors/404.json"),
    ):
        htaccess = folder / ".htaccess"
        htaccess.write_text('Header always set X-From-Htaccess "yes"\n')
        try:
            answer = server.ask(url)
        finally:
            htaccess.unlink()
        assert answer.status == 200
        assert "X-From-Htaccess" not in answer.headers


@pytest.mark.parametrize(
    "path", ["/../../etc/passwd", "/static/../wsgi.py", "/static/%2e%2e/wsgi.py", "/feeds/..%2ftokens"]
)
def test_no_path_leads_out_of_what_is_served(server: Served, path: str) -> None:
    answer = server.raw(f"GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n".encode())
    assert re.match(rb"HTTP/1\.1 (400|403|404) ", answer)


def test_no_answer_tells_a_version(server: Served) -> None:
    for path in ("/", "/nothing", "/feeds/front.json", "/static/nothing", "/" + "x" * 9000):
        answer = server.ask(path, Accept="text/html")
        assert answer.headers["Server"] == "Apache"
        assert not re.search(rb"Apache/|mod_wsgi|Debian|OpenSSL", answer.body), path
    assert server.raw(b"GET / HTTP/1.1\r\n\r\n").count(b"Server: Apache\r\n") == 1


def test_an_etag_has_no_inode(server: Served) -> None:
    original = root(server) / "assets/errors/404.html"
    twin = root(server) / "assets/twin.html"
    shutil.copy2(original, twin)
    try:
        # An error's page has no ETag of its own; its copy has one, and the copy of the copy the same.
        first = server.ask("/static/twin.html").headers["ETag"]
        shutil.copy2(twin, twin.with_suffix(".new"))
        inode = twin.stat().st_ino
        twin.with_suffix(".new").replace(twin)
        assert twin.stat().st_ino != inode
        assert server.ask("/static/twin.html").headers["ETag"] == first
    finally:
        twin.unlink()


@pytest.mark.parametrize("method", ["TRACE", "TRACK", "CONNECT", "PUT", "PATCH", "PROPFIND", "x"])
@pytest.mark.parametrize("path", ["/", "/feeds/front.json", "/static/nothing", "/api/series"])
def test_a_method_that_nothing_takes_is_refused(server: Served, method: str, path: str) -> None:
    request = f"{method} {path} HTTP/1.1\r\nHost: localhost\r\nX-Mine: repeated\r\nConnection: close\r\n\r\n"
    answer = server.raw(request.encode())
    assert re.match(rb"HTTP/1\.1 (400|404|405|501) ", answer)
    assert b"repeated" not in answer


@pytest.mark.parametrize("version", [b"", b" HTTP/0.9", b" HTTP/1.1 x", b" http/1.1"])
def test_a_request_line_that_is_not_http_1_s_is_refused(server: Served, version: bytes) -> None:
    answer = server.raw(b"GET /health/live" + version + b"\r\nHost: localhost\r\nConnection: close\r\n\r\n")
    assert re.match(rb"HTTP/1\.1 (400|505) ", answer)


@pytest.mark.parametrize(
    ("request_", "within_s"),
    [
        (b"GET / HTTP/1.1\r\nHost: localhost\r\n", 9),
        (b"POST /api/series HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer %s\r\nContent-Length: 9\r\n\r\n", 9),
    ],
)
def test_a_request_that_stands_still_is_given_up(server: Served, request_: bytes, within_s: float) -> None:
    begun = monotonic()
    answer = server.raw(request_.replace(b"%s", TOKEN.encode()))
    assert monotonic() - begun < within_s
    assert answer.startswith(b"HTTP/1.1 408 ") or answer == b""


def test_a_connection_that_is_kept_is_closed_after_15_s(server: Served) -> None:
    with socket.create_connection(("127.0.0.1", server.port), timeout=20) as connection:
        connection.sendall(b"GET /health/live HTTP/1.1\r\nHost: localhost\r\n\r\n")
        begun, received = monotonic(), b""
        while part := connection.recv(65536):
            received += part
        assert 13 < monotonic() - begun < 18
    assert received.count(b"HTTP/1.1 200 ") == 1


@pytest.mark.parametrize(
    ("line", "headers", "accepted"),
    [
        ("/health/live?" + "x" * 8000, [], True),
        ("/health/live?" + "x" * 8300, [], False),
        ("/health/live", [f"X-{n}: x" for n in range(98)], True),
        ("/health/live", [f"X-{n}: x" for n in range(100)], False),
        ("/health/live", ["X-Long: " + "x" * 8000], True),
        ("/health/live", ["X-Long: " + "x" * 8300], False),
    ],
)
def test_a_head_is_limited(server: Served, line: str, headers: list[str], accepted: bool) -> None:
    head = "\r\n".join([f"GET {line} HTTP/1.1", "Host: localhost", "Connection: close", *headers, "", ""])
    answer = server.raw(head.encode())
    assert re.match(rb"HTTP/1\.1 200 " if accepted else rb"HTTP/1\.1 (400|414|431) ", answer)
    assert accepted or b'"cure"' in answer


def test_both_logs_have_their_form_and_what_is_asked_for_is_in_one(
    server: Served, eventually: Callable[..., None]
) -> None:
    begun = len(server.log)
    server.ask("/nothing/of/note")
    eventually(lambda: "/nothing/of/note" in server.log[begun:])
    access = re.compile(r'127\.0\.0\.1 - \S+T\S+ "GET /nothing/of/note HTTP/1\.1" 404 \d+ \d+ \S+')
    assert [line for line in server.log[begun:].splitlines() if access.fullmatch(line)]
    # A traceback of two exceptions has lines without a message.
    error = re.compile(r"\[\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.\d{6}\] \[\w+:\w+\] \[pid \d+\] .*")
    messages = [line for line in server.log.splitlines() if line.startswith("[")]
    assert messages
    assert [line for line in messages if not error.fullmatch(line)] == []
