"""InfluxDB line protocol, v1 and v2: ``measurement,tag=value field=1.5,other=2i 1795000000000000000``.

https://docs.influxdata.com/influxdb/v2/reference/syntax/line-protocol/ A number or boolean field is a sample of the
series ``measurement.field{tag=value,...}``; texts are left out.
"""

import re
from collections.abc import Iterator
from functools import lru_cache

from line_protocol_parser import LineFormatError, parse_line

from tidegauge.errors import BadPush, BadSample
from tidegauge.ingest.push import Push, check_time, decode, encode, series_name, time_span
from tidegauge.store.journal import Reading
from tidegauge.store.series import check_name

# Units of the time: ms in one of them, as a fraction.
PRECISIONS = {
    "ns": (1, 1_000_000), "n": (1, 1_000_000), "us": (1, 1_000), "u": (1, 1_000), "ms": (1, 1),
    "s": (1_000, 1), "m": (60_000, 1), "h": (3_600_000, 1),
}  # fmt: skip

# The measurement and its tags, where a quote is a letter like others.
_BEFORE_FIELDS = re.compile(r" *(?:[^\\ ]|\\.)*+")
_REST_OF_TEXT = re.compile(r'(?:[^"\\]|\\.|\\$)*+"')
_OPENING = re.compile(r'(?<!\\)="')
_TEXT = re.compile(_OPENING.pattern + _REST_OF_TEXT.pattern)
# Most lines are like this: one number, a time, nothing escaped or quoted. What stands before the number is parsed once.
_COMMON = re.compile(
    r'^([^\s\\"#][^\s\\"]* [^\s\\",=]+)=(-?\d{1,15}(?:\.\d{1,17})?) (-?\d{1,19})$', re.ASCII | re.MULTILINE
)


def parse(body: bytes, precision: str, now_ms: int) -> Push:
    """Return the readings of the good lines of *body*, and a sentence for each bad one.

    Raises:
        BadPush: *precision* is none of PRECISIONS, or *body* is not UTF-8.
    """
    if precision not in PRECISIONS:
        raise BadPush(f"The precision {precision[:20]!r} is not known.", f"Use one of {', '.join(PRECISIONS)}.")
    multiply, divide = PRECISIONS[precision]
    text = decode(body)
    if (readings := _common(text, multiply, divide, now_ms)) is not None:
        return Push(readings)
    push = Push()
    for number, line in _lines(text):
        try:
            push.readings += _common(line, multiply, divide, now_ms) or _readings(
                number, line.strip("\r "), multiply, divide, now_ms
            )
        except LineFormatError as error:
            push.problems.append(f"line {number}: {str(error).rstrip('.')}: {line[:80]!r}.")
        except (BadPush, BadSample) as error:
            what = error.what if error.what.startswith("line ") else f"line {number}: {error.what}"
            push.problems.append(what)
    return push


def _common(text: str, multiply: int, divide: int, now_ms: int) -> list[Reading] | None:
    """Return the readings of *text* if all of its lines are common and good ones, else None."""
    found = _COMMON.findall(text)
    if not found or len(found) != text.count("\n") + (text[-1] != "\n"):
        return None
    starts, values, given = zip(*found, strict=True)
    times = [int(time) * multiply // divide for time in given]
    earliest, latest = time_span(now_ms)
    if min(times) < earliest or max(times) > latest:
        return None
    try:
        return list(zip(map(_series, starts), times, map(float, values), strict=True))
    except (LineFormatError, BadPush, BadSample):
        return None


@lru_cache(10_000)
def _series(start: str) -> str:
    """Return the series of a line of one field, of which *start* is what stands before the =; raises as _readings."""
    [(name, _, _)] = _readings(0, f"{start}=1", 1, 1, 0)
    return name


def _readings(number: int, line: str, multiply: int, divide: int, now_ms: int) -> list[Reading]:
    """Return the readings of one line; raises LineFormatError, BadPush and BadSample."""
    if not line or line[0] == "#":
        return []
    found = parse_line(line)
    time = found["time"]
    if time is not None:
        time = check_time(number, time * multiply // divide, now_ms)
    tags = series_name("", found["tags"])
    measurement = encode(found["measurement"])
    return [
        (check_name(f"{measurement}.{encode(field)}{tags}"), time, float(value))
        for field, value in found["fields"].items()
        if not isinstance(value, str)
    ]


def _lines(text: str) -> Iterator[tuple[int, str]]:
    """Yield the lines of *text*, each with its number.

    A text field may have line breaks, as InfluxDB takes them: what follows one is no line of its own, so that logged
    text cannot pose as samples. Where a quote is never closed, the line ends as any other, and is a bad one.
    """
    lines = text.split("\n")
    number, may_go_on = 0, '="' in text
    while number < len(lines):
        end = _end(lines, number) if may_go_on else number
        if end is None:  # from here on each line for itself: looking for the end again and again would take for ever
            end, may_go_on = number, False
        yield number + 1, "\n".join(lines[number : end + 1])
        number = end + 1


def _end(lines: list[str], number: int) -> int | None:
    """Return which line ends the one that begins with line *number*; None: its last text is never closed."""
    fields = _BEFORE_FIELDS.sub("", lines[number], 1)
    while '="' in fields and _OPENING.search(_TEXT.sub("", fields)):
        number += 1
        while number < len(lines) and not (closed := _REST_OF_TEXT.match(lines[number])):
            number += 1
        if number == len(lines) or not closed:
            return None
        fields = lines[number][closed.end() :]
    return number
