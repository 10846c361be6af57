"""What no answer has: a cookie, or leave for other origins to read it."""

import re

import pytest
from flask import Flask
from served import Served

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
