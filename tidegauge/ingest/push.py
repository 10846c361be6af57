"""Numbers pushed in: one module a format, all yielding the same readings into the same hub call."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from urllib.parse import quote

from tidegauge.errors import BadPush
from tidegauge.store.journal import Reading

YEAR_MS = 366 * 86_400_000
# What would be taken for the end of a tag, or cannot be read.
_UNSAFE = re.compile(r"[%{},=\x00-\x1f\x7f-\x9f]")


@dataclass
class Push:
    """What a request brought: readings, and a sentence for each part of it that was no reading."""

    readings: list[Reading] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)


def series_name(base: str, tags: Mapping[str, str]) -> str:
    """Return ``base{tag=value,...}``, tags by name; characters that cannot stand there are percent-encoded."""
    inner = ",".join(f"{encode(key)}={encode(value)}" for key, value in sorted(tags.items()))
    return f"{encode(base)}{{{inner}}}" if inner else encode(base)


def encode(text: str) -> str:
    """Return *text* with what cannot stand in a name percent-encoded."""
    if not _UNSAFE.search(text):
        return text
    return _UNSAFE.sub(lambda match: quote(match[0], safe=""), text)


def time_span(now_ms: int) -> tuple[int, int]:
    """Return the earliest and the latest time that a sample may have, ms since the Unix epoch."""
    return now_ms - 10 * YEAR_MS, now_ms + YEAR_MS


def check_time(place: str | int, time_ms: int, now_ms: int) -> int:
    """Return *time_ms* if it is within ten years before and one after *now_ms*, else raise BadPush.

    Args:
        place: what the refusal begins with; a number is that of a line.
    """
    earliest, latest = time_span(now_ms)
    if not earliest <= time_ms <= latest:
        place = f"line {place}" if isinstance(place, int) else place
        raise BadPush(f"{place}: the time {time_ms} ms since the Unix epoch is years away.", "Check its unit.")
    return time_ms


def decode(body: bytes) -> str:
    """Return *body* as text, or raise BadPush where it is not UTF-8."""
    try:
        return body.decode("utf-8")
    except UnicodeDecodeError as error:
        line = body.count(b"\n", 0, error.start) + 1
        raise BadPush(f"line {line}: byte {error.start} of the body is not UTF-8.", "Send UTF-8.") from None
