"""Parameters of the URL, checked."""

from flask import request

from tidegauge.errors import BadCursor, BadParameter
from tidegauge.store.times import parse_ms


def cursor(given: str) -> int:
    """Return a cursor given in the URL, or raise BadCursor."""
    number = int(given) if given.isascii() and given.isdigit() and len(given) <= 16 else -1
    if not 0 <= number < 2**53:
        raise BadCursor(given)
    return number


def whole(name: str, given: str) -> int:
    """Return a whole number above 0 given in the URL, or raise BadParameter."""
    if not (given.isascii() and given.isdigit() and len(given) <= 16 and 0 < int(given) < 2**53):
        raise BadParameter(name, given, "a whole number from 1 to 2**53 - 1")
    return int(given)


def time(name: str) -> int | None:
    """Return a time given in the URL in ms since the Unix epoch, None if there is none; without a zone it is UTC."""
    given = request.args.get(name)
    if given is None:
        return None
    if given.lstrip("-").isascii() and given.lstrip("-").isdigit() and len(given) <= 16:
        return int(given)
    try:
        return parse_ms(given)
    except (ValueError, OverflowError):
        raise BadParameter(name, given, "ms since the Unix epoch, or a time such as 2026-11-23T12:00:00Z") from None
