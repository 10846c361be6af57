"""A task that swallows its cancellation, as Python 3.11's wait_for can, keeps nothing from going on or ending."""

import asyncio
import threading
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from time import sleep

import nats_servers
import pytest
from cluster.test_access import joined

from tidegauge.store.journal.jetstream import consumer, replication
from tidegauge.store.journal.jetstream.connection import Server
from tidegauge.store.journal.jetstream.message import Message


def test_a_swallowed_cancellation_ends_neither_the_host_nor_its_return(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, eventually: Callable[..., None]
) -> None:
    swallowed = []

    async def follow_on(server: Server, name: str, start: int) -> AsyncIterator[tuple[list[Message], int]]:
        try:
            async for found in consumer.follow(server, name, start):
                yield found
        except asyncio.CancelledError:
            swallowed.append(start)
            raise TimeoutError from None

    monkeypatch.setattr(replication, "follow", follow_on)
    with nats_servers.running(1) as servers:
        with joined(servers, tmp_path) as hub:
            eventually(lambda: not hub.journal.problem and not hub.journal.behind)
            servers.nodes[0].kill()
            eventually(lambda: swallowed)
            servers.nodes[0].start()
            eventually(lambda: not hub.journal.problem, 30)
            hub.append([("a", 1, 1.0)])
            eventually(lambda: hub.windows.names() == ["a"])
            sleep(0.5)  # until it waits for more
            started = len(swallowed)
        assert len(swallowed) > started
        assert not [thread for thread in threading.enumerate() if thread.name == "nats"]
