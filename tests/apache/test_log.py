"""What comes from outside can neither forge a line of the log nor leave a secret in it."""

import re
from base64 import b64encode
from collections.abc import Callable
from itertools import count

import pytest
from served import ROOM_TOKEN, TOKEN, Served

FORGED = b'\x1b[2J127.0.0.1 - - forged "\\'
# Apache's messages, what Python writes through it, and answers.
LINE = re.compile(
    r"\[\d{4}-\d\d-\d\d [\d:.]{15}\] \[[\w-]*:\w+\] \[pid \d+\] [\x20-\x7e]*"
    r'|\S+ (?:-|"[\x20-\x7e]*") [\d:T+-]+ "(?:[\x20-\x21\x23-\x5b\x5d-\x7e]|\\[\x20-\x7e])*" \d{3} \d+ \d+ \S+'
)
number = count(1)


def sent(server: Served, eventually: Callable[..., None], *lines: bytes) -> list[str]:
    """Send a request, and wait for what comes after; returns the lines that the log has of both."""
    begun, mark = len(server.log), f"/nothing/after/{next(number)}"
    server.raw(b"\r\n".join([*lines, b"Connection: close", b"", b""]))
    server.ask(mark)
    eventually(lambda: mark in server.log[begun:])
    return server.log[begun:].splitlines()


@pytest.mark.parametrize(
    "lines",
    [
        [b"GET /nothing/%0a%0d" + b"%1b[2J127.0.0.1%20forged HTTP/1.1", b"Host: localhost"],
        [b"GET /nothing/%s HTTP/1.1" % FORGED, b"Host: localhost"],
        [b"GET /nothing/\r127.0.0.1 forged HTTP/1.1", b"Host: localhost"],
        [b"GET /feeds/%0a%1bforged HTTP/1.1", b"Host: localhost"],
        [b"GET /nothing HTTP/1.1", b"Host: %s" % FORGED],
        [b"GET /nothing HTTP/1.1", b"Host: a\rforged"],
        [b"GET /nothing HTTP/1.1", b"Host: localhost", b"User-Agent: %s" % FORGED],
        [b"GET /nothing HTTP/1.1", b"Host: localhost", b"Referer: a\rforged"],
        [b"GET /nothing HTTP/1.1", b"Host: localhost", b"Authorization: Basic " + b64encode(b"a\nforged\x1b:x")],
        [b"POST /api/series HTTP/1.1", b"Host: localhost", b"Authorization: Basic " + b64encode(b"a\nforged\x1b:x")],
        [b"%s / HTTP/1.1" % FORGED, b"Host: localhost"],
        [b"GET / %s" % FORGED, b"Host: localhost"],
        [b"GET /dashboard/%0a%1bforged/ HTTP/1.1", b"Host: localhost"],
        [b"GET /api/series?name=%0a%1bforged HTTP/1.1", b"Host: localhost"],
    ],
)
def test_no_line_of_the_log_can_be_forged(server: Served, eventually: Callable[..., None], lines: list[bytes]) -> None:
    logged = sent(server, eventually, *lines)
    assert [line for line in logged if not LINE.fullmatch(line)] == []
    assert [line for line in logged if line.startswith(("forged", "127.0.0.1 forged", "127.0.0.1 - - forged"))] == []


def test_a_series_with_line_ends_in_its_name_forges_none(server: Served, eventually: Callable[..., None]) -> None:
    head = [b"POST /api/series HTTP/1.1", b"Host: localhost", b"Authorization: Bearer " + TOKEN.encode()]
    for body in (b'{"name": "a\\nforged\\u001b", "value": 1}', b'{"name": "a\\nforged", "value": "\\nforged"}'):
        begun = len(server.log)
        server.raw(b"\r\n".join([*head, b"Connection: close", b"Content-Length: %d" % len(body), b"", body]))
        server.ask(mark := f"/nothing/after/{next(number)}")
        eventually(lambda begun=begun, mark=mark: mark in server.log[begun:])
        assert [line for line in server.log[begun:].splitlines() if not LINE.fullmatch(line)] == []


def test_no_token_and_no_password_is_ever_in_a_log_or_an_answer(
    server: Served, eventually: Callable[..., None]
) -> None:
    secrets = [TOKEN, ROOM_TOKEN, "wrong-token-of-somebody"]
    begun, answers = len(server.log), []
    for secret in secrets:
        basic = b64encode(f"anna:{secret}".encode()).decode()
        for scheme in (f"Bearer {secret}", f"Token {secret}", f"Basic {basic}", f"Digest {secret}", secret):
            for body in (b'{"name": "secret", "value": 1}', b"not json", b"{" * 10_000):
                answers.append(server.ask("/api/series", "POST", body, Authorization=scheme))
            answers.append(server.ask("/nothing", Authorization=scheme))
            answers.append(server.ask("/metrics", Authorization=scheme, X_Forwarded_For="192.0.2.7"))
            answers.append(server.ask("/" + "x" * 9000, Authorization=scheme))
    server.ask("/nothing/last")
    eventually(lambda: "/nothing/last" in server.log[begun:])
    encoded = [b64encode(f"anna:{secret}".encode()).decode() for secret in secrets]
    for secret in secrets + encoded:
        assert secret not in server.log[begun:]
        assert [one for one in answers if secret.encode() in one.body] == []
    assert {200, 400, 403, 404, 414} <= {one.status for one in answers}


@pytest.mark.parametrize("query", ["token", "p", "access_token", "Authorization"])
def test_a_token_in_an_address_which_logs_keep_lets_nobody_in(server: Served, query: str) -> None:
    for path in ("/api/series", "/write", "/api/v2/write", "/v1/metrics", "/collectd"):
        assert server.ask(f"{path}?{query}={ROOM_TOKEN}", "POST", b"room.x v=1").status == 401
