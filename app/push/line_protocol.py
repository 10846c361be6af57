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
    tags: dict[str, str] = {}  # by the measurement and tags as they stand in the line: most lines repeat them
    for number, line in enumerate(decode(body).split("\n"), 1):
        line = line.strip("\r ")
        if not line or line.startswith("#"):
            continue
        try:
            found = parse_line(line)
            time = found["time"]
            if time is not None:
                time = check_time(f"line {number}", time * multiply // divide, now_ms)
            head = line.partition(" ")[0]
            suffix = tags.get(head)
            if suffix is None or "\\" in head:
                suffix = tags[head] = series_name("", found["tags"])
            base = encode(found["measurement"])
            good = [
                (f"{base}.{encode(name)}{suffix}", time, float(value))
                for name, value in found["fields"].items()
                if not isinstance(value, str)
            ]
            for name, _, _ in good:
                if len(name) > 400 or not name.isprintable():
                    check_name(name)
            push.readings += good
        except LineFormatError as error:
            push.problems.append(f"line {number}: {str(error).rstrip('.')}: {line[:80]!r}.")
        except (BadPush, BadSample) as error:
            what = error.what if error.what.startswith("line ") else f"line {number}: {error.what}"
            push.problems.append(what)
    return push
