"""What lies in the stream: a message a batch, and the sequence numbers of its samples.

``seq`` is the position of the message in the stream times SEQS_PER_MESSAGE, plus the index of the sample in it.
Positions below 2**41 keep it below 2**53: at 1,000 messages a second that lasts for 69 years, at 10,000 for 7.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, TypeVar

import msgspec

from tidegauge.errors import BadSample
from tidegauge.store.journal import Reading, Stamped
from tidegauge.store.series import check_name, check_value

SEQS_PER_MESSAGE = 4096  # numbers a message
MAX_BYTES = 500_000  # of a message
PAYLOAD = 524_288  # which a server has to take, headers included; it takes 1 MiB until it is told otherwise
SAMPLE_BYTES = 28  # at most, but for its name: index, time, value, and the length of a name of its own
BATCH, CONTROL, PUSH = "batch", "control", "push."  # what follows the stream's name in a subject

Item = TypeVar("Item")
Time = Annotated[int, msgspec.Meta(gt=-(2**53), lt=2**53)]  # ms since the Unix epoch; a double holds it


class Batch(msgspec.Struct, array_like=True):
    """A batch: the names of its series, and for each sample the index of its name, its time in ms and its value."""

    names: list[str]
    series: list[Annotated[int, msgspec.Meta(ge=0)]]
    times: list[Time]
    values: list[float | None]


class Control(msgspec.Struct, omit_defaults=True):
    """What is no sample: series to ``forget``, and ``units`` of others."""

    forget: list[str] = []
    units: dict[str, str] = {}


class Single(msgspec.Struct):
    """One sample of another program: the value and, if it is not of now, its time in ms since the Unix epoch."""

    value: float | None
    time: Time | None = None


@dataclass(frozen=True, slots=True)
class Message:
    """A message that was taken from the stream. ``time``: when the stream took it, ms since the Unix epoch."""

    position: int
    subject: str  # without the stream's name
    body: bytes
    time: int


_batches = msgspec.msgpack.Decoder(Batch)
_controls = msgspec.msgpack.Decoder(Control)
_singles = msgspec.json.Decoder(Single | float | None)
encode = msgspec.msgpack.Encoder().encode


def position(seq: int) -> int:
    """Return the position of the message that has the sample *seq*."""
    return seq // SEQS_PER_MESSAGE


def cut(batch: Sequence[Reading]) -> Iterator[Sequence[Reading]]:
    """Yield *batch* as parts that a message can take: the same parts whenever the same batch comes."""
    for start in range(0, len(batch), SEQS_PER_MESSAGE):
        yield from _fitting(batch[start : start + SEQS_PER_MESSAGE], _most_bytes)


def cut_units(units: Mapping[str, str]) -> Iterator[Control]:
    """Yield *units* as parts that a message can take."""
    for part in _fitting(list(units.items()), lambda pairs: len(encode(pairs))):
        yield Control(units=dict(part))


def _most_bytes(samples: Sequence[Reading]) -> int:
    names = {name for name, _, _ in samples}
    return sum(len(name.encode()) for name in names) + SAMPLE_BYTES * len(samples)


def _fitting(items: Sequence[Item], size: Callable[[Sequence[Item]], int]) -> Iterator[Sequence[Item]]:
    """Yield *items*, or halves of them and halves of those, until each is of MAX_BYTES at most."""
    if len(items) > 1 and size(items) > MAX_BYTES:
        half = len(items) // 2
        yield from _fitting(items[:half], size)
        yield from _fitting(items[half:], size)
    elif items:
        yield items


def body(samples: Sequence[Stamped]) -> bytes:
    """Return the body of a message that has these samples."""
    names: dict[str, int] = {}
    series = [names.setdefault(name, len(names)) for name, _, _ in samples]
    return encode(Batch(list(names), series, [time for _, time, _ in samples], [value for _, _, value in samples]))


def samples(message: Message) -> list[Stamped]:
    """Return the samples of a message, checked: other programs may write to the stream.

    Raises:
        BadSample: they cannot be taken.
    """
    try:
        if message.subject.startswith(PUSH):
            decoded = _singles.decode(message.body)
            one = decoded if isinstance(decoded, Single) else Single(decoded)
            name = message.subject.removeprefix(PUSH)
            found = [(name, message.time if one.time is None else one.time, one.value)]
        else:
            batch = _batches.decode(message.body)
            names = batch.names
            found = [
                (names[number], time, value)
                for number, time, value in zip(batch.series, batch.times, batch.values, strict=True)
            ]
            if len(found) > SEQS_PER_MESSAGE:
                raise ValueError(f"{len(found)} samples, {SEQS_PER_MESSAGE} is the most")
    except (msgspec.MsgspecError, ValueError, IndexError) as error:
        raise BadSample(
            f"The message {message.position} of {message.subject!r} is no batch: {error}.",
            "Send a number, null or an object with value and time (ms).",
        ) from None
    for name in dict.fromkeys(name for name, _, _ in found):
        check_name(name)
    for name, _, value in found:
        if value is not None:
            check_value(name, value)
    return found


def control(message: Message) -> Control:
    """Return what a message of the subject ``control`` says; raises BadSample."""
    try:
        return _controls.decode(message.body)
    except msgspec.MsgspecError as error:
        raise BadSample(f"The message {message.position} of 'control' says nothing: {error}.", "Leave it.") from None
