"""InfluxDB line protocol, v1 and v2: ``measurement,tag=value field=1.5,other=2i 1795000000000000000``.

https://docs.influxdata.com/influxdb/v2/reference/syntax/line-protocol/ A number or boolean field is a sample of the
series ``measurement.field{tag=value,...}``; texts are left out.
"""

from line_protocol_parser import LineFormatError, parse_line

from app.errors import BadPush, BadSample
from app.hub import check_name
from app.push import Push, check_time, decode, encode, series_name

# Units of the time: ms in one of them, as a fraction.
PRECISIONS = {
    "ns": (1, 1_000_000), "n": (1, 1_000_000), "us": (1, 1_000), "u": (1, 1_000), "ms": (1, 1),
    "s": (1_000, 1), "m": (60_000, 1), "h": (3_600_000, 1),
}  # fmt: skip


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
    for number, line in enumerate(decode(body).split("\n"), 1):
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


def _name(measurement: str, field: str, tags: dict[str, str]) -> str:
    return check_name(f"{encode(measurement)}.{encode(field)}{series_name('', tags)}")
