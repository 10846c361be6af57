"""Whatever is sent to a push URL, as whatever: never an error of the server, and nothing is kept of what is refused."""

import gzip
import zlib
from collections.abc import Callable
from pathlib import Path

import pytest
import served
from flask.testing import FlaskClient
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis
from hypothesis import strategies as st
from push_bodies import FORMATS, corrupted

from tidegauge.server.owner import Owner
from tidegauge.settings import Settings

URLS = [
    "/api/series",
    "/api/v2/write",
    "/write?precision=ms",
    "/write?precision=x",
    "/v1/metrics",
    "/collectd",
    "/query",
]
PACKED: dict[str, Callable[[bytes], bytes]] = {
    "": bytes,
    "identity": bytes,
    "gzip": gzip.compress,
    "X-GZip": lambda body: gzip.compress(body) + gzip.compress(b""),
    "deflate": zlib.compress,
    "gzip, gzip": lambda body: gzip.compress(gzip.compress(body)),
    "br\u00e9": bytes,
}
contents = st.sampled_from(
    [*{one.content_type for one in FORMATS.values()}, "", "text/csv", "application/json; x=\u00e9"]
)
any_bytes = st.one_of(
    st.just(b""), *(corrupted(form) | one.bodies.map(lambda said: said[0]) for form, one in FORMATS.items())
)


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings(run=str(tmp_path / "run"), journal="memory", push_token=served.TOKENS, max_series=100_000)


def pushed(owner: Owner) -> dict[str, int]:
    own = ("process.", "apache.", "daemon.", "journal.")
    return {one.name: one.seq for one in owner.hub.windows.newest_samples() if not one.name.startswith(own)}


@hypothesis(max_examples=2 * hypothesis().max_examples, suppress_health_check=list(HealthCheck))
@given(any_bytes, st.sampled_from(URLS), contents, st.sampled_from(sorted(PACKED)), st.booleans())
def test_no_body_is_an_error_of_the_server_and_of_a_refused_one_nothing_is_kept(
    client: FlaskClient, owner: Owner, body: bytes, url: str, content_type: str, encoding: str, is_packed: bool
) -> None:
    before = pushed(owner)
    answer = client.post(
        url,
        data=PACKED[encoding](body) if is_packed else body,
        headers={"Authorization": f"Bearer {served.TOKEN}", "Content-Type": content_type, "Content-Encoding": encoding},
    )
    assert answer.status_code < 500
    if answer.status_code >= 400 and not (answer.status_code == 400 and "write" in url):  # there, good lines are kept
        assert pushed(owner) == before
