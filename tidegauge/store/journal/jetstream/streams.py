"""The stream itself: how it is made, known again and followed."""

import asyncio
import secrets
from collections.abc import AsyncIterator
from contextlib import suppress

from nats.aio.msg import Msg
from nats.js import JetStreamContext
from nats.js.api import AckPolicy, ConsumerConfig, DeliverPolicy, StreamConfig, StreamInfo
from nats.js.errors import BadRequestError, KeyNotFoundError, NotFoundError

from tidegauge.store.journal.jetstream.connection import FAILURES, Server
from tidegauge.store.journal.jetstream.message import BATCH, CONTROL, PUSH, Message
from tidegauge.store.journal.sqlite.retention import Retention

REPEATS_S = 3600.0  # for so long NATS knows a repeat by its id; agents give up retrying after minutes
EPOCH = "tidegauge_epoch"  # in the stream's metadata, and the key of the note that it was made
HEARTBEAT_S = 0.5  # of a consumer
SILENT_S = 1.5  # without one, it is made anew
NAME_IN_USE = 10058  # NATS' code
TAKEN = 500  # messages at once, at most


async def find(jetstream: JetStreamContext, name: str) -> StreamInfo | None:
    """Return what NATS says of the stream, None if there is none."""
    try:
        return await jetstream.stream_info(name)
    except NotFoundError:
        return None


def epoch(info: StreamInfo) -> str:
    """Return the stream's epoch, "" if it is none of ours."""
    return (info.config.metadata or {}).get(EPOCH, "")


async def make(
    jetstream: JetStreamContext,
    name: str,
    replicas: int,
    retention: Retention,
    *,
    epoch: str = "",
    first: int | None = None,
) -> StreamInfo:
    """Make the stream, or return the one that is there if another host was faster.

    Args:
        epoch: its epoch; "": a new one.
        first: the position of its first message.
    """
    age_s = retention.days * 86_400
    config = StreamConfig(
        name=name,
        subjects=[f"{name}.{BATCH}", f"{name}.{CONTROL}", f"{name}.{PUSH}>"],
        num_replicas=replicas,
        max_age=age_s,
        duplicate_window=min(REPEATS_S, age_s),
        metadata={EPOCH: epoch or secrets.token_hex(8)},
        first_seq=first,
    )
    try:
        return await jetstream.add_stream(config)
    except BadRequestError as error:
        if error.err_code != NAME_IN_USE:
            raise
    return await jetstream.stream_info(name)


async def note_existence(jetstream: JetStreamContext, name: str, replicas: int, epoch: str) -> None:
    """Note beside the stream that it was made, for the day on which it is not there."""
    try:
        store = await jetstream.key_value(name)
    except NotFoundError:
        store = await jetstream.create_key_value(bucket=name, replicas=replicas)
    with suppress(KeyNotFoundError):
        if (await store.get(EPOCH)).value == epoch.encode():
            return
    await store.put(EPOCH, epoch.encode())


async def existed_before(jetstream: JetStreamContext, name: str) -> bool:
    """Tell whether the stream was there once."""
    with suppress(NotFoundError):
        store = await jetstream.key_value(name)
        with suppress(KeyNotFoundError):
            return bool((await store.get(EPOCH)).value)
    return False


async def renew(jetstream: JetStreamContext, name: str, replicas: int, retention: Retention) -> str:
    """Begin a new epoch: give it to the stream that is there, or make one. Returns the epoch."""
    info = await find(jetstream, name)
    if info is None:
        info = await make(jetstream, name, replicas, retention)
    else:
        info.config.metadata = {**(info.config.metadata or {}), EPOCH: secrets.token_hex(8)}
        info = await jetstream.update_stream(info.config)
    await note_existence(jetstream, name, replicas, epoch(info))
    return epoch(info)


async def follow(server: Server, name: str, start: int) -> AsyncIterator[tuple[list[Message], int]]:
    """Yield the messages from the position *start* on, in order, and how many are to come after them; [] every second.

    An ordered consumer: the servers forget it with the connection, and it acknowledges nothing.

    Raises:
        ConnectionError: it has fallen silent, or has left out a message.
    """
    client, jetstream = server
    queue: asyncio.Queue[Msg] = asyncio.Queue()
    inbox = client.new_inbox()
    subscription = await client.subscribe(inbox, cb=queue.put)
    config = ConsumerConfig(
        deliver_subject=inbox,
        deliver_policy=DeliverPolicy.BY_START_SEQUENCE,
        opt_start_seq=start,
        ack_policy=AckPolicy.NONE,
        max_deliver=1,
        flow_control=True,
        idle_heartbeat=HEARTBEAT_S,
        inactive_threshold=30,
        mem_storage=True,
        num_replicas=1,
    )
    try:
        behind = (await jetstream.add_consumer(name, config)).num_pending or 0
        yield [], behind
        delivered = 0
        while True:
            async with asyncio.timeout(SILENT_S):
                waiting = [await queue.get()]
            while len(waiting) < TAKEN and not queue.empty():
                waiting.append(queue.get_nowait())
            messages: list[Message] = []
            for one in waiting:
                if not one.reply.startswith("$JS.ACK."):
                    if int((one.headers or {}).get("Nats-Last-Consumer", delivered)) != delivered:
                        raise ConnectionError("a message was left out on its way")
                    if one.reply:  # flow control: the servers send on when what came before is taken
                        await client.publish(one.reply)
                    continue
                metadata = one.metadata
                if metadata.sequence.consumer != delivered + 1:
                    raise ConnectionError("a message was left out on its way")
                delivered = metadata.sequence.consumer
                behind = metadata.num_pending
                subject = one.subject.removeprefix(f"{name}.")
                time = int(metadata.timestamp.timestamp() * 1000)
                messages.append(Message(metadata.sequence.stream, subject, one.data, time))
            yield messages, behind
    finally:
        with suppress(*FAILURES):  # or an error would take the place of the task's end
            await subscription.unsubscribe()
