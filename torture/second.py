"""A second server where there may be one: on its run folder, its journal, its volume; embedded, or of two processes."""

import json
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from http.client import HTTPConnection
from random import Random
from time import sleep

from container_engine import Compose, docker
from own_apache import EMBEDDED, PROCESSES, Host, own_apache
from served import Served

from torture.container import SETTINGS, composed
from torture.harness import Found, Scenario, wait_until
from torture.load import Load, load, serving

REFUSED_S = 2.0
Ask = Callable[[], str]  # the second one's front page; returns why it is refused, "" if it is not
Second = tuple[Callable[[], AbstractContextManager[Ask]], str]  # starts it; and a part of the reason


def run(rounds: int, random: Random) -> Found:
    """Start a second one in each way in turn, under the first one's load; in a container in the long form alone."""
    found = Found()
    with ExitStack() as stack:
        server = stack.enter_context(serving())
        seconds = _on_this_host(server)
        order = list(seconds) * rounds
        compose = None
        if rounds > len(seconds):
            compose = stack.enter_context(composed())
            order = [*seconds, "volume"] * rounds
        for name in order[:rounds]:
            if compose and name == "volume":
                compose.up(SETTINGS)
                _try(name, Served(compose.port, {}), _in_container(compose), found, random)
            else:
                _try(name, server, seconds[name], found, random)
    return found


def _on_this_host(server: Served) -> dict[str, Second]:
    journal = {"TIDEGAUGE_JOURNAL": str(server.journal)}
    return {
        "run folder": (
            lambda: _host(own_apache(server, run=server.run)),
            f"the process {server.daemon_pid} already serves from this run folder",
        ),
        "journal": (
            lambda: _host(own_apache(server, settings=journal)),
            f"the process {server.daemon_pid} already writes to it",
        ),
        "embedded": (
            lambda: _host(own_apache(server, change=EMBEDDED, settings=journal)),
            "it needs a WSGIDaemonProcess",
        ),
        "processes=2": (
            lambda: _host(own_apache(server, change=(PROCESSES[0], PROCESSES[1].format(2)), settings=journal)),
            "the server runs several processes",
        ),
    }


@contextmanager
def _host(second: AbstractContextManager[Host]) -> Iterator[Ask]:
    with second as host:
        yield lambda: _reason("127.0.0.1", host.port, "/live/")


def _reason(address: str, port: int, front: str) -> str:
    page, ready = (_get(address, port, path) for path in (front, f"{front}health/ready"))
    return str(json.loads(page[1])["detail"]) if (page[0], ready[0]) == (503, 503) else ""


def _get(address: str, port: int, path: str) -> tuple[int, bytes]:
    """GET *path*: the status, 0 while nobody listens, and the body."""
    connection = HTTPConnection(address, port, timeout=10)
    try:
        connection.request("GET", path)
        answer = connection.getresponse()
        return answer.status, answer.read()
    except OSError:
        return 0, b""
    finally:
        connection.close()


def _in_container(compose: Compose) -> Second:
    @contextmanager
    def start() -> Iterator[Ask]:
        container = compose("run", "--detach", "--no-deps", "tidegauge", settings=SETTINGS).splitlines()[-1]
        network = "{{range .NetworkSettings.Networks}}{{.IPAddress}}{{end}}"
        try:
            address = docker("inspect", "--format", network, container)
            is_up = wait_until(lambda: _get(address, 8080, "/health/live")[0], 30) < 30
            assert is_up, docker("logs", container)
            yield lambda: _reason(address, 8080, "/")
        finally:
            docker("rm", "--force", container)

    return start, "already writes to it"


def _try(name: str, first: Served, second: Second, found: Found, random: Random) -> None:
    start, reason = second
    before = first.ask("/health").json["epoch"]
    with load(first, prefix=f"second{random.randrange(10**9)}") as running:
        sleep(random.uniform(0.2, 1))
        with start() as ask:
            took = wait_until(lambda: reason in ask(), 30)
            found.longest("longest until refused, s", took)
            found.expect_in_time(took <= REFUSED_S, f"{name}: refused {took:.1f} s after its start; it says {ask()!r}")
            sleep(random.uniform(0.2, 1))
        found.expect(first.ask("/health").json["epoch"] == before, f"{name}: the first one's epoch is another")
    found.count(f"seconds: {name}")
    _judge(name, running, found)


def _judge(name: str, running: Load, found: Found) -> None:
    found.broken += [f"{name}: {one}" for one in running.wrong()]
    for what, answers in (("pushes", running.pushes), ("polls", running.polls)):
        found.count(f"{what} of the first one", answers.good)
        found.count(f"{what} of the first one failed", sum(answers.failed.values()))
        found.expect(not answers.failed, f"{name}: {what} of the first one failed: {dict(answers.failed)}")


SCENARIO = Scenario(
    15,
    "second",
    "a second server under the first one's load: on its run folder, journal or volume, embedded, with processes=2",
    "each is refused within 2 s of being up, with the reason; no push and no poll of the first one fails",
    run,
    short=4,
    long=10,
    tools=("docker",),
)
