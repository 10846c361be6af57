"""collectd's write_http, ``Format JSON``.

The series are ``plugin.type[.dsname]{host=...,plugin_instance=...,type_instance=...}``.
"""

from typing import Annotated

import msgspec

from tidegauge.errors import BadPush
from tidegauge.ingest.json_samples import load
from tidegauge.ingest.push import Push, check_time, decode, series_name
from tidegauge.store.series import check_reading

CURE = "Use collectd's write_http plugin with Format JSON."
Name = Annotated[str, msgspec.Meta(min_length=1)]


class ValueList(msgspec.Struct):
    """What is read of a value list; ``time`` in seconds, and an empty text where a part of the name has none."""

    plugin: Name
    type: Name
    time: float
    values: list[float | None]
    dsnames: list[Name]
    host: str = ""
    plugin_instance: str = ""
    type_instance: str = ""


def parse(body: bytes, now_ms: int) -> Push:
    """Return the readings of *body*, null a gap; nothing is returned of a body with a single fault.

    Raises:
        BadPush: with the place of the first fault.
        BadSample: a name or value cannot be one.
    """
    try:
        lists = load(decode(body))
    except ValueError as error:
        raise BadPush(f"It is no JSON: {error}.", CURE) from None
    if not isinstance(lists, list):
        raise BadPush("It is no array of value lists.", CURE)
    push = Push()
    for number, one in enumerate(lists, 1):
        try:
            _add(push, f"value list {number}", msgspec.convert(one, ValueList), now_ms)
        except (msgspec.ValidationError, ValueError, OverflowError) as error:
            raise BadPush(f"value list {number} is none ({error!s:.80}).", CURE) from None
    return push


def _add(push: Push, place: str, one: ValueList, now_ms: int) -> None:
    time = check_time(place, round(one.time * 1000), now_ms)
    if len(one.values) != len(one.dsnames):
        raise ValueError("values and dsnames do not match")
    tags = {"host": one.host, "plugin_instance": one.plugin_instance, "type_instance": one.type_instance}
    tags = {key: value for key, value in tags.items() if value}
    for value, name in zip(one.values, one.dsnames, strict=True):
        base = f"{one.plugin}.{one.type}" + ("" if name == "value" else f".{name}")
        push.readings.append(check_reading(series_name(base, tags), time, value))
