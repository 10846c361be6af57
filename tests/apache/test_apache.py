import gzip
import json
import os
import re
import signal
import socket
from collections.abc import Callable
from pathlib import Path
from threading import Event, Thread

import brotli
import pytest
from served import Served

KEYS = {"status", "title", "detail", "instance", "cure"}


def requests_in_python(server: Served) -> int:
    """How many requests the daemon process has had, this one included, by the tutorial's own counter of them."""
    return int(server.ask("/data/", "POST").json["x"][0])


def test_python_runs_in_one_daemon_process_that_is_not_root(server: Served) -> None:
    answer = server.ask("/health").json
    assert answer["status"] == "pass"
    assert answer["versions"]["mod_wsgi"] >= "6.1"
    assert Path(f"/proc/{server.daemon_pid}").stat().st_uid != 0


def test_a_feed_is_sent_by_apache_with_its_headers_and_a_304_when_it_is_the_same(server: Served) -> None:
    answer = server.ask("/feeds/server/window.json")
    assert answer.json["epoch"] == server.ask("/health").json["epoch"]
    assert answer.headers["Cache-Control"] == "max-age=1"
    assert answer.headers["Content-Type"] == "application/json"
    assert "Last-Modified" not in answer.headers
    tail = server.ask("/feeds/server/tail.json")
    again = server.ask("/feeds/server/tail.json", If_None_Match=tail.headers["ETag"])
    assert again.status == 304 or again.headers["ETag"] != tail.headers["ETag"]


@pytest.mark.parametrize("path", ["/dashboard/", "/dashboard/server/", "/dashboard/server/?span=1h"])
def test_a_page_and_its_figures_are_sent_by_apache_without_python(
    server: Served, eventually: Callable[..., None], path: str
) -> None:
    eventually((server.run / "pages/server.html").exists)
    os.kill(server.daemon_pid, signal.SIGSTOP)
    try:
        page = server.ask(path)
        document = re.findall(r'data-document="([^"]+)"', page.body.decode())[0].replace("$theme", "dark")
        figures = server.ask(f"/{document}", Accept_Encoding="gzip")
    finally:
        os.kill(server.daemon_pid, signal.SIGCONT)
    assert (page.status, page.headers["Content-Type"]) == (200, "text/html; charset=utf-8")
    assert page.headers["Cache-Control"] == "no-store"
    assert not {"ETag", "Last-Modified"} & page.headers.keys()
    [nonce] = re.findall(r"style-src 'self' 'nonce-([^']+)'", page.headers["Content-Security-Policy"])
    assert page.body.decode().count(f'nonce="{nonce}"') >= 1
    assert (figures.status, figures.headers["Content-Encoding"]) == (200, "gzip")
    assert json.loads(gzip.decompress(figures.body))["doc"]["roots"]


def test_a_page_has_the_headers_that_python_gives_it(server: Served, eventually: Callable[..., None]) -> None:
    eventually((server.run / "pages/server.html").exists)
    kept = server.ask("/dashboard/server/").headers
    made = server.ask("/dashboard/server/?embed").headers
    own = {"Date", "Content-Length", "Content-Security-Policy", "Accept-Ranges", "Keep-Alive", "Connection"}
    assert {name: kept[name] for name in kept.keys() - own} == {name: made[name] for name in made.keys() - own}


@pytest.mark.parametrize(("path", "status"), [("/pages/server.html", 404), ("/pages/policy", 404), ("/pages/", 404)])
def test_a_page_has_one_address(server: Served, path: str, status: int) -> None:
    assert server.ask(path).status == status


@pytest.mark.parametrize(("file", "key"), [("server/window.json", "series"), ("front.json", "cards")])
def test_a_large_file_is_sent_compressed_to_who_takes_it(server: Served, file: str, key: str) -> None:
    answer = server.ask(f"/feeds/{file}", Accept_Encoding="gzip")
    assert (answer.headers["Content-Encoding"], answer.headers["Vary"]) == ("gzip", "Accept-Encoding")
    assert answer.headers["Content-Type"] == "application/json"
    assert json.loads(gzip.decompress(answer.body))[key]
    plain = server.ask(f"/feeds/{file}")
    assert "Content-Encoding" not in plain.headers
    assert plain.json[key]


def test_a_missing_feed_is_apaches_404_and_never_pythons(server: Served) -> None:
    assert server.ask("/feeds/nothing/tail.json").json["status"] == 404
    os.kill(server.daemon_pid, signal.SIGSTOP)
    try:
        assert server.ask("/feeds/nothing/tail.json").status == 404
        assert server.ask("/feeds/server/tail.json").status == 200
        assert server.ask("/static/nothing").status == 404
    finally:
        os.kill(server.daemon_pid, signal.SIGCONT)
    server.wait_ready()


def test_static_files_are_compressed_once_and_kept_for_ever(server: Served) -> None:
    page = server.ask("/dashboard/server/").body.decode()
    url = "/" + re.findall(r'src="\.\./\.\./(static/[0-9a-f]{8}/bokeh\.min\.js)"', page)[0]
    plain = server.ask(url)
    assert plain.headers["Cache-Control"] == "max-age=31536000, immutable"
    for encoding, decompress in (("br", brotli.decompress), ("gzip", gzip.decompress)):
        answer = server.ask(url, Accept_Encoding=encoding)
        assert answer.headers["Content-Encoding"] == encoding
        assert answer.headers["Content-Type"] == "text/javascript; charset=utf-8"
        assert "Accept-Encoding" in answer.headers["Vary"]
        assert decompress(answer.body) == plain.body
        assert server.ask(url, Accept_Encoding=encoding, If_None_Match=answer.headers["ETag"]).status == 304


@pytest.mark.parametrize("url", ["/data/", "/", "/dashboard/server/", "/ping", "/health/live"])
def test_a_body_is_refused_before_python_sees_the_request(server: Served, url: str) -> None:
    before = requests_in_python(server)
    assert server.ask(url, "POST", b"x").json["status"] == 413
    chunked = b"POST %s HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n" % url.encode()
    assert server.raw(chunked + b"1\r\nx\r\n0\r\n\r\n").startswith(b"HTTP/1.1 413 ")
    assert requests_in_python(server) == before + 1


def test_slow_senders_of_bodies_do_not_hold_pythons_threads(server: Served) -> None:
    request = b"POST /data/ HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1000\r\n\r\nx"
    senders = [socket.create_connection(("127.0.0.1", server.port)) for _ in range(64)]
    for sender in senders:
        sender.sendall(request)
    assert server.ask("/dashboard/server/").status == 200
    for sender in senders:
        sender.close()


@pytest.mark.parametrize(
    ("method", "url", "status"),
    [
        ("GET", "/feeds/x/y", 404),
        ("GET", "/static/x", 404),
        ("POST", "/feeds/server/tail.json", 405),
        ("TRACE", "/", 405),
        ("GET", "/nothing", 404),
    ],
)  # fmt: skip
def test_errors_of_both_servers_have_one_shape_or_are_a_page(
    server: Served, method: str, url: str, status: int
) -> None:
    answer = server.ask(url, method)
    assert (answer.status, set(answer.json), answer.json["status"]) == (status, KEYS, status)
    assert answer.headers["Content-Type"].startswith("application/problem+json")
    page = server.ask(url, method, Accept="text/html")
    assert (page.status, page.headers["Content-Type"]) == (status, "text/html; charset=utf-8")
    for one in (answer, page):
        assert one.headers["X-Content-Type-Options"] == "nosniff"
        assert "default-src 'none'" in one.headers["Content-Security-Policy"]
        assert not re.search(r"\d", one.headers["Server"])


def test_a_request_that_fails_before_its_headers_are_read_has_the_shape_too(server: Served) -> None:
    answer = server.ask("/" + "x" * 9000)
    assert (answer.status, set(answer.json)) == (414, KEYS)


@pytest.mark.parametrize("url", ["/", "/feeds/server/tail.json", "/health/ready"])
def test_an_unknown_host_is_refused_and_not_repeated(server: Served, url: str) -> None:
    answer = server.ask(url, Host="evil.example")
    assert answer.status == 421
    assert b"evil" not in answer.body
    for host in ("localhost", "web1", "192.0.2.7:80", "[::1]"):
        assert server.ask(url, Host=host).status == 200


def test_mod_status_is_for_who_asks_for_it_by_its_address_alone(server: Served) -> None:
    status = Served(server.port + 1, {})
    assert status.ask("/server-status").status == 200
    assert status.ask("/server-status", Host="evil.example").status == 403


def test_the_vitals_are_real_and_rise_under_load(server: Served, eventually: Callable[..., None]) -> None:
    def newest() -> dict[str, float]:
        return {one["name"]: one["value"] or 0.0 for one in server.ask("/api/series").json["series"]}

    eventually(lambda: newest().get("daemon.busy_threads") is not None)
    done = Event()

    def load() -> None:
        while not done.is_set():
            server.ask("/health/ready")

    thread = Thread(target=load)
    thread.start()
    try:
        eventually(lambda: newest()["apache.cpu"] > 0.02 and newest()["daemon.requests"] > 20)
        eventually(lambda: newest()["daemon.response_time"] > 0 and newest()["process.memory"] > 10e6)
    finally:
        done.set()
        thread.join()


def test_a_killed_daemon_process_goes_on_in_the_same_epoch_and_feeds_are_served_all_the_while(
    server: Served, eventually: Callable[..., None]
) -> None:
    before, pid = server.ask("/feeds/server/tail.json").json, server.daemon_pid
    n = server.ask("/data/", "POST").json["x"][0]
    os.kill(pid, signal.SIGKILL)
    assert server.ask("/feeds/server/tail.json").status == 200
    server.wait_ready()
    assert server.daemon_pid != pid
    eventually(lambda: server.ask("/feeds/server/tail.json").json["to"] > before["to"])
    assert server.ask("/feeds/server/tail.json").json["epoch"] == before["epoch"]
    assert server.ask("/data/", "POST").json["x"] == [n + 1]


def test_a_reload_takes_a_new_process_and_fails_no_request(server: Served) -> None:
    pid, done, answers = server.daemon_pid, Event(), []

    def ask() -> None:
        while not done.is_set():
            answers.append(server.ask("/data/", "POST").status)

    threads = [Thread(target=ask) for _ in range(4)]
    for thread in threads:
        thread.start()
    try:
        server.command("reload")
    finally:
        done.set()
        for thread in threads:
            thread.join()
    assert server.daemon_pid != pid
    assert set(answers) == {200}
