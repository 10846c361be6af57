"""Bodies that a program generates: lawful ones, nearly lawful ones, and anything; as whatever, to whatever URL."""

import gzip
import zlib
from collections.abc import Callable
from pathlib import Path
from random import Random
from tempfile import TemporaryDirectory
from typing import Any

import psutil
import served
from flask.testing import FlaskClient
from hypothesis import HealthCheck, Phase, given
from hypothesis import seed as with_seed
from hypothesis import settings as hypothesis
from hypothesis import strategies as st
from push_bodies import FORMATS, corrupted
from served import Served

from app import create_app
from tidegauge.server.current import KEY
from tidegauge.server.owner import Owner
from tidegauge.settings import Settings
from torture.harness import Found, Scenario
from torture.load import AUTH, Client, serving

SHARE = 10  # of so many bodies one is sent over the wire
SERIES = 300  # few, so that the cap refuses as well
GROWTH_MB = 20.0
URLS = [
    *dict.fromkeys(one.url for one in FORMATS.values()),
    "/api/v2/write?precision=ms",
    "/write?precision=x",
    "/query",
]
PACKED: dict[str, Callable[[bytes], bytes]] = {
    "": bytes,
    "gzip": gzip.compress,
    "X-GZip": lambda body: gzip.compress(body) + gzip.compress(b""),
    "deflate": zlib.compress,
}
bodies = st.one_of(*(one.bodies.map(lambda said: said[0]) | corrupted(form) for form, one in FORMATS.items()))
requests = st.tuples(
    st.sampled_from(URLS),
    st.sampled_from(sorted({one.content_type for one in FORMATS.values()} | {"", "text/csv"})),
    st.sampled_from(sorted(PACKED)),
    bodies,
)
Send = Callable[[tuple[str, str, str, bytes]], None]


def run(rounds: int, random: Random) -> Found:
    """Give *rounds* thousand bodies to the application in this process, and a tenth of that to Apache."""
    found = Found()
    with TemporaryDirectory() as folder:
        _in_process(Path(folder), rounds * 1000, random, found)
    with serving(TIDEGAUGE_MAX_SERIES=str(SERIES)) as server:
        _over_the_wire(server, rounds * 1000 // SHARE, random, found)
    return found


def _generate(send: Send, count: int, random: Random) -> None:
    of = hypothesis(
        max_examples=count,
        deadline=None,
        database=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    with_seed(random.getrandbits(64))(of(given(requests)(send)))()


def _in_process(folder: Path, count: int, random: Random, found: Found) -> None:
    settings = Settings(run=str(folder), journal="memory", push_token=served.TOKENS, max_series=SERIES)
    app = create_app(settings)
    owner: Owner = app.extensions[KEY]
    owner.start()
    client = app.test_client()
    _generate(lambda request: _give(client, owner, request, found), count, random)
    owner.stop()


def _give(client: FlaskClient, owner: Owner, request: tuple[str, str, str, bytes], found: Found) -> None:
    url, content_type, encoding, body = request
    before = _pushed(owner)
    answer = client.post(url, data=PACKED[encoding](body), headers=AUTH | _headers(content_type, encoding))
    status = answer.status_code
    found.count(f"{status // 100}xx in process")
    found.expect(status < 500, f"{status} from {url}: {answer.data[:200]!r} of {body[:200]!r}")
    keeps_the_rest = status == 400 and ("write" in url or b"All other samples were kept" in answer.data)
    if status >= 400 and not keeps_the_rest:
        found.expect(_pushed(owner) == before, f"{url} refused {body[:200]!r} by {status}, and kept of it")


def _headers(content_type: str, encoding: str) -> dict[str, str]:
    return {"Content-Type": content_type, "Content-Encoding": encoding}


def _pushed(owner: Owner) -> dict[str, Any]:
    own = ("process.", "apache.", "daemon.", "journal.")
    return {one.name: one.seq for one in owner.hub.windows.newest_samples() if not one.name.startswith(own)}


def _over_the_wire(server: Served, count: int, random: Random, found: Found) -> None:
    client, process = Client(server), psutil.Process(server.daemon_pid)

    def send(request: tuple[str, str, str, bytes]) -> None:
        url, content_type, encoding, body = request
        sent = AUTH | {name: value for name, value in _headers(content_type, encoding).items() if value}
        status, answer = client.ask(url, "POST", PACKED[encoding](body), **sent)
        found.count(f"{status // 100}xx over the wire")
        found.expect(status < 500, f"{status} from {url}: {answer[:200]!r} of {body[:200]!r}")

    _generate(send, count // 2, random)
    before = process.memory_info().rss / 1e6
    _generate(send, count - count // 2, random)
    growth = process.memory_info().rss / 1e6 - before
    found.counted["memory added by the second half, MB"] = growth
    found.expect(growth < GROWTH_MB, f"memory grew by {growth:.1f} MB")
    found.expect(server.daemon_pid == process.pid, "the Python process ended")
    found.expect("Traceback" not in server.log, "there is a traceback in the log")


SCENARIO = Scenario(
    8,
    "bodies",
    "100,000 generated bodies of every push format in process, 10,000 over the wire: lawful, nearly so, and any bytes",
    "no answer is 5xx, no traceback; nothing is kept of what is refused; memory does not grow",
    run,
    short=1,
    long=100,
)
