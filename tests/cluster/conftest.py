"""A real cluster of three NATS servers, and hosts of this process that share a stream of it."""

import asyncio
import re
import secrets
from collections.abc import Callable, Coroutine, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from time import monotonic
from typing import Any, TypeVar

import nats_servers
import pytest
from nats_servers import Servers

from tidegauge.errors import JournalUnusable
from tidegauge.store.hub import Hub
from tidegauge.store.journal.jetstream.access import Access
from tidegauge.store.journal.jetstream.journal import JetStreamJournal
from tidegauge.store.journal.sqlite.retention import Retention

Join = Callable[..., Hub]
Result = TypeVar("Result")
SLOW = re.compile("TimeoutError|no connection|ServiceUnavailable|NoStreamResponse|NoResponders")  # and not a refusal


def run(work: Coroutine[Any, Any, Result]) -> Result:
    """Do *work* in a thread of its own: this one may have the loop of another test's browser."""
    with ThreadPoolExecutor(1) as thread:
        return thread.submit(asyncio.run, work).result()


def open_hub(hub: Hub) -> None:
    """Open it, again while its servers are slow to answer, as owner.py does; raises JournalUnusable."""
    deadline = monotonic() + 60
    while True:
        try:
            return hub.open()
        except JournalUnusable as error:
            if monotonic() > deadline or not SLOW.search(error.what):
                raise


@pytest.fixture(scope="session")
def servers() -> Iterator[Servers]:
    with nats_servers.running(3) as found:
        yield found


@pytest.fixture
def stream() -> str:
    """The name of a stream of this test's own."""
    return f"test-{secrets.token_hex(4)}"


@pytest.fixture
def join(servers: Servers, stream: str, tmp_path: Path) -> Iterator[Join]:
    """Open another host; the same *name* is the same host again."""
    hubs: list[Hub] = []

    def opened(name: str = "", **limits: int) -> Hub:
        access = Access(servers.urls)
        path = tmp_path / (name or f"host{len(hubs)}") / "copy.sqlite"
        hub = Hub(JetStreamJournal(access, stream, path, Retention()), **{"window": 1000, "max_series": 1000, **limits})
        hubs.append(hub)
        open_hub(hub)
        return hub

    yield opened
    for hub in hubs:
        hub.journal.close()
