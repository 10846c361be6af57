"""The stream itself: how it is made, and known again."""

import secrets
from contextlib import suppress

from nats.js import JetStreamContext
from nats.js.api import StreamConfig, StreamInfo
from nats.js.errors import BadRequestError, KeyNotFoundError, NotFoundError

from tidegauge.store.journal.jetstream.message import BATCH, CONTROL, PUSH
from tidegauge.store.journal.sqlite.retention import Retention

REPEATS_S = 3600.0  # for so long NATS knows a repeat by its id; agents give up retrying after minutes
EPOCH = "tidegauge_epoch"  # in the stream's metadata, and the key of the note that it was made
NAME_IN_USE = 10058  # NATS' code


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
