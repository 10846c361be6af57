import pytest
from flask import Flask
from flask.testing import FlaskClient

from tidegauge.web.access import is_accepted_host

KEYS = {"status", "title", "detail", "instance", "cure"}
WRONG = [
    ("GET", "/nothing", 404),
    ("GET", "/dashboard/nothing/", 404),
    ("GET", "/feeds/nothing/document.light.json", 404),
    ("GET", "/feeds/exponential/tail.json", 404),
    ("GET", "/feeds/nothing/tail.json", 404),
    ("GET", "/feeds/server/other.json", 404),
    ("GET", "/feeds/server/..%2f..%2fdaemon.pid", 404),
    ("GET", "/static/nothing.js", 404),
    ("GET", "/spark/nothing.svg", 404),
    ("GET", "/spark/process.cpu.svg?width=0", 400),
    ("GET", "/api/series?name=nothing", 404),
    ("GET", "/api/series?name=process.cpu&since=-1", 400),
    ("GET", "/api/series?name=process.cpu&since=1.5", 400),
    ("GET", "/api/series?name=process.cpu&since=9007199254740992", 400),
    ("GET", "/api/series?name=process.cpu&since=9007199254740991", 410),
    ("GET", "/data/", 405),
    ("POST", "/", 405),
    ("PUT", "/api/series", 405),
    ("PUT", "/dashboard/server/", 405),
]


@pytest.mark.parametrize(("method", "url", "status"), WRONG)
def test_every_error_has_the_one_shape(untouched: FlaskClient, method: str, url: str, status: int) -> None:
    answer = untouched.open(url, method=method, headers={"Host": "some-host"})
    assert answer.status_code == status
    assert answer.mimetype == "application/problem+json"
    assert answer.json is not None
    assert set(answer.json) == KEYS
    assert answer.json["status"] == status
    assert all(answer.json[key] for key in KEYS)
    for secret in ("some-host", "Traceback", "/usr/", ".py"):
        assert secret not in answer.text
    assert ("Allow" in answer.headers) == (status == 405)


def test_a_browser_gets_a_page(untouched: FlaskClient) -> None:
    answer = untouched.get("/dashboard/nothing/", headers={"Accept": "text/html,application/xhtml+xml,*/*;q=0.8"})
    assert (answer.status_code, answer.mimetype) == (404, "text/html")
    assert "There is no dashboard &#39;nothing&#39;." in answer.text


def test_what_was_not_expected_is_a_500_without_a_word_of_it(app: Flask) -> None:
    @app.get("/fail")
    def fail() -> str:
        raise RuntimeError("the secret")

    answer = app.test_client().get("/fail")
    assert (answer.status_code, set(answer.json or {})) == (500, KEYS)
    assert "secret" not in answer.text


def test_a_path_with_a_line_end_is_one_line_of_the_log(app: Flask, caplog: pytest.LogCaptureFixture) -> None:
    @app.get("/fail/<rest>")
    def fail(rest: str) -> str:
        raise RuntimeError(len(rest))

    app.test_client().get("/fail/a%0a%1b[2Jall is well")
    [record] = [record for record in caplog.records if "failed" in record.getMessage()]
    assert record.getMessage() == "GET '/fail/a\\n\\x1b[2Jall is well' failed"


@pytest.mark.parametrize(
    "host",
    ["127.0.0.1", "10.1.2.3:8080", "[::1]:8080", "[fe80::1]", "localhost", "localhost:80", "web1:8080", "a.localhost",
     "live.example.org", "LIVE.example.org:443"],
)  # fmt: skip
def test_a_host_that_is_ours_is_accepted(host: str) -> None:
    assert is_accepted_host(host, frozenset({"live.example.org"}))


@pytest.mark.parametrize(
    "host", ["", "evil.example", "live.example.org.evil", "1.2.3.4.nip.io", "a/b", "a@b", "<x>", "a b", "[::1", "é.org"]
)
def test_a_host_that_is_not_ours_is_refused(host: str) -> None:
    assert not is_accepted_host(host, frozenset({"live.example.org"}))


def test_the_refusal_of_a_host_names_the_setting_and_not_the_host(client: FlaskClient) -> None:
    answer = client.get("/", headers={"Host": "evil.example"})
    assert answer.status_code == 421
    assert "TIDEGAUGE_HOSTS" in answer.text
    assert "evil" not in answer.text


def test_a_poll_with_rubbish_in_its_query_does_no_harm(client: FlaskClient) -> None:
    assert client.get("/feeds/server/tail.json?x=%00&since=<script>").status_code == 200
