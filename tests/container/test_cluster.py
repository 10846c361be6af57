"""Several hosts in containers, as compose.cluster.yml has them: what a viewer and an agent notice of a death."""

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.client import HTTPConnection
from threading import Event, Thread
from time import sleep
from typing import Any

import pytest
from container_engine import Compose, docker
from served import TOKEN

pytestmark = pytest.mark.quiet  # eight containers on a machine's two processors
FILES = ("--file", "docker-compose.yml", "--file", "compose.cluster.yml")
HOSTS = ("tidegauge", "tidegauge-2", "tidegauge-3")


@pytest.fixture(scope="module")
def cluster(new_compose: Callable[[], Compose]) -> Iterator[Compose]:
    one = new_compose()
    try:
        up(one)
        yield one
    finally:
        one.try_(*FILES, "down", "--volumes", "--rmi", "local", "--timeout", "5")


def up(cluster: Compose) -> None:
    cluster(*FILES, "up", "--build", "--detach", "--wait", settings={"TIDEGAUGE_PUSH_TOKEN": TOKEN})


def push(cluster: Compose, value: float, name: str) -> int:
    """Push a sample by whatever host the balancer has in turn; returns the status."""
    connection = HTTPConnection("127.0.0.1", cluster.port, timeout=30)
    try:
        body = json.dumps({"name": name, "value": value, "time": 1_795_000_000_000 + int(value)})
        connection.request("POST", "/api/series", body, {"Authorization": f"Bearer {TOKEN}"})
        return connection.getresponse().status
    finally:
        connection.close()


def there(cluster: Compose, name: str) -> list[dict[str, Any]]:
    """Return what as many requests as there are hosts are told of a series."""
    return [cluster.get_json(f"/api/series?name={name}") for _ in HOSTS]


@contextmanager
def viewer(cluster: Compose) -> Iterator[list[int]]:
    """Poll ten times a second, and note every status."""
    statuses: list[int] = []
    ended = Event()

    def poll() -> None:
        while not ended.wait(0.1):
            statuses.append(cluster.get("/feeds/server/tail.json")[0])

    thread = Thread(target=poll)
    thread.start()
    try:
        yield statuses
    finally:
        ended.set()
        thread.join()


def kill(cluster: Compose, service: str) -> str:
    """kill -9; returns the container."""
    return docker("kill", cluster(*FILES, "ps", "--quiet", service))


def test_every_request_is_told_the_same_whichever_host_it_reaches(
    cluster: Compose, eventually: Callable[..., None]
) -> None:
    for value in (1, 2, 3, 2):  # an agent sends it again, as a host may be told late that servers are back
        eventually(lambda value=value: push(cluster, value, "same") == 200)
    eventually(lambda: [one["v"] for one in there(cluster, "same")] == [[1.0, 2.0, 3.0]] * 3)
    first, *others = there(cluster, "same")
    assert others == [first, first]

    def sampling() -> list[bool]:
        return [cluster.get_json("/health")["journal"]["samples_here"] for _ in HOSTS]

    eventually(lambda: sorted(sampling()) == [False, False, True])


def test_a_host_and_a_server_die_and_no_viewer_notices(cluster: Compose, eventually: Callable[..., None]) -> None:
    pushed: list[float] = []
    killed: list[str] = []
    with viewer(cluster) as statuses:
        for service in ("tidegauge-2", "nats-1"):
            sleep(2)
            killed.append(kill(cluster, service))
            # An agent sends it again.
            for value in range(1000 * len(pushed) + 1000, 1000 * len(pushed) + 1010):
                eventually(lambda value=value: push(cluster, value, "kept") == 200)
                pushed.append(float(value))
        docker("start", *killed)
        eventually(lambda: all(sorted(one["v"]) == pushed for one in there(cluster, "kept")), within_s=60)
    assert set(statuses) <= {200, 502}
    assert statuses.count(502) <= 1  # the poll that the host had when it was killed; the page polls again
    assert len(statuses) > 50


def test_viewers_go_on_while_no_host_can_keep_a_sample(cluster: Compose, eventually: Callable[..., None]) -> None:
    with viewer(cluster) as statuses:
        killed = [kill(cluster, service) for service in ("nats-1", "nats-2")]
        eventually(lambda: push(cluster, 1, "refused") == 503)
        sleep(8)  # by then every host says that it is not ready, and the balancer has asked each
        assert push(cluster, 1, "refused") == 503
        docker("start", *killed)
        eventually(lambda: push(cluster, 1, "refused") == 200, within_s=60)
    assert set(statuses) == {200}
