"""What no answer has: a cookie, or leave for other origins to read it; and the gate for what a page sends."""

import os
import re
import signal
from base64 import b64encode

import pytest
from flask import Flask
from served import TOKEN, Served

FILES = [
    "/static/nothing",
    "/feeds/front.json",
    "/feeds/server/window.json",
    "/feeds/nothing/tail.json",
    "/" + "x" * 9000,
]


@pytest.mark.parametrize("origin", ["https://wiki.example.org", "https://evil.example", "null"])
def test_no_answer_sets_a_cookie_or_is_shared_with_another_origin(app: Flask, secure: Served, origin: str) -> None:
    """Wiki.example.org may embed, which needs neither."""
    values = {"name": "server", "file": "tail.json", "path": "x"}
    rules = [
        re.sub(r"<(?:\w+:)?(\w+)>", lambda found: values[found[1]], rule.rule) for rule in app.url_map.iter_rules()
    ]
    assert len(rules) > 20
    for path in rules + FILES:
        for method in ("GET", "POST", "OPTIONS", "DELETE"):
            preflight = "POST" if method == "OPTIONS" else ""
            answer = secure.ask(
                path, method, Origin=origin, Cookie="session=x", Access_Control_Request_Method=preflight
            )
            names = [name for name in answer.headers if name.lower().startswith(("set-cookie", "access-control-"))]
            assert names == [], (method, path)
            assert answer.status < 500, (method, path)


@pytest.mark.parametrize("sign", [{"Origin": "https://evil.example"}, {"Sec_Fetch_Site": "cross-site"}])
def test_a_password_that_a_browser_adds_by_itself_is_refused_by_apache(server: Served, sign: dict[str, str]) -> None:
    basic = "Basic " + b64encode(f"x:{TOKEN}".encode()).decode()
    os.kill(server.daemon_pid, signal.SIGSTOP)
    try:
        answer = server.ask("/write", "POST", b"foreign v=1", Authorization=basic, **sign)
    finally:
        os.kill(server.daemon_pid, signal.SIGCONT)
    assert answer.status == 403
    assert server.ask("/write", "POST", b"own v=1", Authorization=basic).status == 204
