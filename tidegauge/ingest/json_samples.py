"""JSON: ``{"name": "room.temperature", "value": 21.5, "time": 1795000000000}``, an array of them, or one a line.

``value``: a number, true or false (1 or 0), or null: a gap. ``time``: ms since the Unix epoch, or ISO 8601; without it
the time of arrival.
"""

import json
from typing import Any, NoReturn

from tidegauge.errors import BadPush, BadSample
from tidegauge.ingest.push import Push, check_time, decode
from tidegauge.store.journal import Reading
from tidegauge.store.series import check_reading
from tidegauge.store.times import parse_ms

KEYS = {"name", "value", "time"}
CURE = 'Send {"name": "room.temperature", "value": 21.5}, an array of them, or one a line.'


def parse(body: bytes, now_ms: int) -> Push:
    """Return the readings of *body*; nothing is returned of a body with a single fault.

    Raises:
        BadPush: with the place of the first fault.
    """
    text = decode(body)
    try:
        found = load(text)
        places = [(f"sample {n}", one) for n, one in enumerate(found if isinstance(found, list) else [found], 1)]
    except json.JSONDecodeError as error:
        if error.msg != "Extra data":
            raise BadPush(f"line {error.lineno}, column {error.colno}: {error.msg}.", CURE) from None
        places = [(f"line {n}", _load_line(n, line)) for n, line in enumerate(text.split("\n"), 1) if line.strip()]
    if not places:
        raise BadPush("There is no sample in it.", CURE)
    return Push([_reading(place, one, now_ms) for place, one in places])


def load(text: str) -> Any:
    """Return what *text* says; raises BadPush for what other parsers let through, and JSONDecodeError."""
    try:
        return _DECODER.decode(text)
    except RecursionError:
        raise BadPush("It is nested too deeply.", CURE) from None


def _load_line(number: int, line: str) -> Any:
    try:
        return load(line)
    except json.JSONDecodeError as error:
        raise BadPush(f"line {number}, column {error.colno}: {error.msg}.", CURE) from None


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for name in names if names.count(name) > 1)
        raise BadPush(f"The key {twice!r:.80} is there twice.", CURE)
    return found


def _no_constant(name: str) -> NoReturn:
    raise BadPush(f"{name} is not JSON.", "Send null for a gap.")


def _int64(digits: str) -> int:
    if len(digits) > 20 or not -(2**63) <= (number := int(digits)) < 2**64:
        raise BadPush(f"{digits[:40]} does not fit into 64 bits.", "Send a number with a decimal point.")
    return number


_DECODER = json.JSONDecoder(object_pairs_hook=_unique, parse_constant=_no_constant, parse_int=_int64)


def _reading(place: str, one: Any, now_ms: int) -> Reading:
    if not isinstance(one, dict):
        raise BadPush(f"{place}: {one!r:.80} is no object.", CURE)
    if unknown := one.keys() - KEYS:
        raise BadPush(f"{place}: the key {min(unknown)!r:.80} is not known.", CURE)
    if "name" not in one or "value" not in one:
        raise BadPush(f"{place}: it has no {'name' if 'name' not in one else 'value'}.", CURE)
    name, value, time = one["name"], one["value"], one.get("time")
    if not isinstance(name, str):
        raise BadPush(f"{place}: the name {name!r:.80} is no text.", CURE)
    if value is not None and not isinstance(value, int | float):
        raise BadPush(f"{place}: {name[:80]!r} has the value {value!r:.80}.", "Send a number, or null for a gap.")
    try:
        name, _, value = check_reading(name, None, value)
    except BadSample as error:
        raise BadPush(f"{place}: {error.what}", error.cure) from None
    return name, None if time is None else check_time(place, _time_ms(place, time), now_ms), value


def _time_ms(place: str, time: Any) -> int:
    cure = "Send ms since the Unix epoch, or ISO 8601."
    if isinstance(time, bool) or not isinstance(time, int | float | str):
        raise BadPush(f"{place}: the time {time!r:.80} is none.", cure)
    try:
        if not isinstance(time, str):
            return round(time)
        return parse_ms(time)
    except (ValueError, OverflowError):
        raise BadPush(f"{place}: the time {time!r:.80} is none.", cure) from None
