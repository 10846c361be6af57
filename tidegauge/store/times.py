"""Times: milliseconds since the Unix epoch, as samples have them."""

from datetime import UTC, datetime
from time import time


def now_ms() -> int:
    """Return the time in milliseconds since the Unix epoch."""
    return int(time() * 1000)


def format_ms(ms: int) -> str:
    """Return a time as "2026-11-25 14:03:07", UTC; one beyond the year 9999 as the number it is."""
    try:
        return datetime.fromtimestamp(ms / 1000, UTC).strftime("%Y-%m-%d %H:%M:%S")
    except (ValueError, OverflowError, OSError):
        return f"{ms} ms"


def parse_ms(text: str) -> int:
    """Return an ISO 8601 time in milliseconds since the Unix epoch; UTC where it names no zone.

    Raises:
        ValueError, OverflowError: it is no such time.
    """
    moment = datetime.fromisoformat(text)
    return round((moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp() * 1000)
