"""collectd's write_http, ``Format JSON``.

The series are ``plugin.type[.dsname]{host=...,plugin_instance=...,type_instance=...}``.
"""

from typing import Any

from app.errors import BadPush
from app.push import Push, check_time, decode, series_name
from app.push.json import load

CURE = "Use collectd's write_http plugin with Format JSON."


def parse(body: bytes, now_ms: int) -> Push:
    """Return the readings of *body*, null a gap; nothing is returned of a body with a single fault."""
    try:
        lists = load(decode(body))
    except ValueError as error:
        raise BadPush(f"It is no JSON: {error}.", CURE) from None
    if not isinstance(lists, list):
        raise BadPush("It is no array of value lists.", CURE)
    push = Push()
    for number, one in enumerate(lists, 1):
        try:
            _add(push, f"value list {number}", one, now_ms)
        except (KeyError, TypeError, ValueError, AttributeError, OverflowError) as error:
            raise BadPush(f"value list {number} is none ({error!r:.80}).", CURE) from None
    return push


def _add(push: Push, place: str, one: dict[str, Any], now_ms: int) -> None:
    time = check_time(place, round(float(one["time"]) * 1000), now_ms)
    tags = {key: one[key] for key in ("host", "plugin_instance", "type_instance") if one.get(key)}
    values, names = one["values"], one["dsnames"]
    if len(values) != len(names) or not all(isinstance(name, str) for name in names):
        raise ValueError("values and dsnames do not match")
    for value, name in zip(values, names, strict=True):
        if value is not None and (isinstance(value, bool) or not isinstance(value, int | float)):
            raise ValueError(f"{value!r:.40} is no number")
        base = f"{one['plugin']}.{one['type']}" + ("" if name == "value" else f".{name}")
        push.readings.append((series_name(base, tags), time, value))
