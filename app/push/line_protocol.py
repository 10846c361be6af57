"""InfluxDB line protocol, v1 and v2: ``measurement,tag=value field=1.5,other=2i 1795000000000000000``.

https://docs.influxdata.com/influxdb/v2/reference/syntax/line-protocol/ A number or boolean field is a sample of the
series ``measurement.field{tag=value,...}``; texts are left out.
"""

import re
from collections.abc import Iterator

from line_protocol_parser import LineFormatError, parse_line

from app.errors import BadPush, BadSample
from app.hub import check_name
from app.push import Push, check_time, decode, encode, series_name

# Units of the time: ms in one of them, as a fraction.
PRECISIONS = {
    "ns": (1, 1_000_000), "n": (1, 1_000_000), "us": (1, 1_000), "u": (1, 1_000), "ms": (1, 1),
    "s": (1_000, 1), "m": (60_000, 1), "h": (3_600_000, 1),
}  # fmt: skip

_BEFORE_FIELDS = re.compile(
    r" *(?:[^\\ ]|\\.)*+"
)  # the measurement and its tags, where a quote is a letter like others
_REST_OF_TEXT = re.compile(r'(?:[^"\\]|\\.|\\$)*+"')
_OPENING = re.compile(r'(?<!\\)="')
_TEXT = re.compile(_OPENING.pattern + _REST_OF_TEXT.pattern)


def parse(body: bytes, precision: str, now_ms: int) -> Push:
    """Return the readings of the good lines of *body*, and a sentence for each bad one.

    Raises:
        BadPush: *precision* is none of PRECISIONS, or *body* is not UTF-8.
    """
    if precision not in PRECISIONS:
        raise BadPush(f"The precision {precision[:20]!r} is not known.", f"Use one of {', '.join(PRECISIONS)}.")
    multiply, divide = PRECISIONS[precision]
    push = Push()
    # Series names by field, for each measurement with its tags as they stand in a line: most lines repeat them.
    known: dict[str, dict[str, str]] = {}
    for number, line in _lines(decode(body)):
        line = line.strip("\r ")
        if not line or line[0] == "#":
            continue
        try:
            found = parse_line(line)
            time = found["time"]
            if time is not None:
                time = check_time(number, time * multiply // divide, now_ms)
            head = line.partition(" ")[0]
            names = known.get(head)
            if names is None or "\\" in head:  # an escaped blank: the head is longer
                names = known[head] = {}
            good = []
            for field, value in found["fields"].items():
                if isinstance(value, str):
                    continue
                name = names.get(field)
                if name is None:
                    name = names[field] = _name(found["measurement"], field, found["tags"])
                good.append((name, time, float(value)))
            push.readings += good
        except LineFormatError as error:
            push.problems.append(f"line {number}: {str(error).rstrip('.')}: {line[:80]!r}.")
        except (BadPush, BadSample) as error:
            what = error.what if error.what.startswith("line ") else f"line {number}: {error.what}"
            push.problems.append(what)
    return push


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


def _name(measurement: str, field: str, tags: dict[str, str]) -> str:
    return check_name(f"{encode(measurement)}.{encode(field)}{series_name('', tags)}")
