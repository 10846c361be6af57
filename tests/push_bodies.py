"""Bodies of every push format, written by other people's serialisers, each with the readings that it says."""

import json
import re
from collections.abc import Callable
from sys import float_info
from typing import Any, NamedTuple
from urllib.parse import quote

from google.protobuf import json_format
from hypothesis import strategies as st
from influxdb_client.client.write.point import Point
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest

from tidegauge.ingest import collectd, line_protocol, otlp
from tidegauge.ingest import json_samples as our_json
from tidegauge.ingest.push import YEAR_MS
from tidegauge.store.journal import Reading

NOW_MS = 1_795_000_000_000
LAWFUL_MS = (NOW_MS - 10 * YEAR_MS, NOW_MS + YEAR_MS)

Said = tuple[bytes, list[Reading]]
Draw = Callable[[st.SearchStrategy[Any]], Any]

printable = st.characters(exclude_categories=("C", "Z"), include_characters=" ")
words = st.text(printable, min_size=1, max_size=8).map(str.strip).filter(bool)
times = st.integers(*LAWFUL_MS)
floats = st.floats(allow_nan=False, allow_infinity=False)
int64s = st.integers(-(2**63), 2**63 - 1)


def named(base: str, tags: dict[str, str]) -> str:
    """Name a series as the README says it is named."""
    encoded = [f"{_encoded(key)}={_encoded(value)}" for key, value in sorted(tags.items())]
    return _encoded(base) + ("{" + ",".join(encoded) + "}" if encoded else "")


def _encoded(text: str) -> str:
    return "".join(quote(one, safe="") if one in "%{},=" else one for one in text)


@st.composite
def json_bodies(draw: Draw) -> Said:
    readings = draw(
        st.lists(
            st.tuples(
                st.text(printable, min_size=1, max_size=500).filter(lambda name: name == name.strip()),
                st.none() | times,
                st.none() | st.booleans() | st.integers(-(2**63), 2**64 - 1) | floats,
            ),
            min_size=1,
            max_size=5,
        )
    )
    samples = [
        {"name": name, "value": value} | ({} if time is None else {"time": time}) for name, time, value in readings
    ]
    parts = [json.dumps(one, ensure_ascii=draw(st.booleans())) for one in samples]
    text = draw(st.sampled_from([f"[{', '.join(parts)}]", "\n".join(parts), "\r\n\n".join([*parts, ""])]))
    return text.encode(), readings


# What the client itself writes ambiguously is left out: a backslash before what it escapes.
plain = words.filter(lambda word: "\\" not in word)
normals = floats.filter(lambda value: value == 0 or abs(value) >= float_info.min)  # line_protocol_parser refuses others


@st.composite
def line_bodies(draw: Draw) -> Said:
    lines, readings = [], []
    for _ in range(draw(st.integers(1, 4))):
        measurement, tags = (
            draw(plain.filter(lambda word: word[0] != "#")),
            draw(st.dictionaries(plain, plain, max_size=3)),
        )
        fields = draw(
            st.dictionaries(plain, st.booleans() | int64s | normals | st.text(printable), min_size=1, max_size=4)
        )
        time = draw(st.none() | times)
        point = Point(measurement).time(None if time is None else time * 1_000_000)  # type: ignore[no-untyped-call]
        for key, value in tags.items():
            point.tag(key, value)
        for key, value in fields.items():
            point.field(key, value)
        lines.append(point.to_line_protocol())
        readings += [
            (named(f"{measurement}.{field}", tags), time, value)
            for field, value in sorted(fields.items())
            if not isinstance(value, str)
        ]
    return draw(st.sampled_from(["\n", "\r\n", "\n\n# \n"])).join(lines).encode(), readings


RESOURCE = ["service.name", "service.instance.id", "host.name", "process.pid"]
attributes = st.dictionaries(words, words | int64s | st.booleans() | floats, max_size=3)


def _set(pairs: Any, attributes: dict[str, Any]) -> dict[str, str]:
    for key, value in attributes.items():
        kind = {str: "string_value", bool: "bool_value", int: "int_value", float: "double_value"}[type(value)]
        setattr(pairs.add(key=key).value, kind, value)
    return {key: str(value).lower() if isinstance(value, bool) else str(value) for key, value in attributes.items()}


@st.composite
def otlp_requests(draw: Draw) -> tuple[ExportMetricsServiceRequest, list[Reading]]:
    request, readings = ExportMetricsServiceRequest(), []
    for _ in range(draw(st.integers(1, 2))):
        resource = request.resource_metrics.add()
        shared = _set(resource.resource.attributes, draw(st.dictionaries(st.sampled_from(RESOURCE), words)))
        shared.pop("process.pid", None)
        for name, kind in draw(st.dictionaries(words, st.sampled_from([*POINTS, "sum"]), max_size=3)).items():
            data = getattr(resource.scope_metrics.add().metrics.add(name=name), kind)
            data.SetInParent()
            if hasattr(data, "aggregation_temporality"):
                data.aggregation_temporality = draw(st.sampled_from([0, 2]))
            for _ in range(draw(st.integers(0, 2))):
                time, is_missing = draw(times), draw(st.booleans())
                point = data.data_points.add(time_unix_nano=time * 1_000_000 + 999_999, flags=int(is_missing))
                tags = shared | _set(point.attributes, draw(attributes))
                said = _fill(draw, point, kind, is_missing=is_missing)
                readings += [(named(name + suffix, tags), time, value) for suffix, value in said]
    return request, readings


POINTS = ["gauge", "sum", "histogram", "exponential_histogram", "summary"]


def _fill(draw: Draw, point: Any, kind: str, *, is_missing: bool) -> list[tuple[str, float | None]]:
    """Give *point* its numbers, and return them by what follows the metric's name."""
    if kind in {"gauge", "sum"}:
        value = draw(st.none() | floats | int64s)
        if value is not None:
            setattr(point, "as_double" if isinstance(value, float) else "as_int", value)
        return [("", None if is_missing or value is None else float(value))]
    point.count = draw(st.integers(0, 2**64 - 1))
    total = draw(floats if kind == "summary" else st.none() | floats)  # where values may be negative there is none
    if total is not None:
        point.sum = total
    if is_missing:
        return [(".count", None), (".sum", None)]
    return [(".count", float(point.count)), *([] if total is None else [(".sum", total)])]


def _otlp_json(request: ExportMetricsServiceRequest, *, quoted: bool) -> bytes:
    """As the specification has it: enumerations are numbers, and 64-bit numbers may be numbers, too."""
    text = json_format.MessageToJson(request, use_integers_for_enums=True)
    return (text if quoted else re.sub(r'("(?:timeUnixNano|asInt|count)": )"(-?\d+)"', r"\1\2", text)).encode()


otlp_bodies = otlp_requests().map(lambda said: (said[0].SerializeToString(), said[1]))
otlp_json_bodies = st.tuples(otlp_requests(), st.booleans()).map(
    lambda drawn: (_otlp_json(drawn[0][0], quoted=drawn[1]), drawn[0][1])
)


@st.composite
def collectd_bodies(draw: Draw) -> Said:
    lists, readings = [], []
    for _ in range(draw(st.integers(0, 3))):
        plugin, kind, tags, time = draw(words), draw(words), draw(tags_of_collectd), draw(times)
        values = draw(st.dictionaries(words | st.just("value"), st.none() | floats | int64s, min_size=1))
        said = {"values": [*values.values()], "dsnames": [*values], "dstypes": ["gauge"] * len(values)}
        lists.append(said | {"plugin": plugin, "type": kind, "time": time / 1000, "interval": 10.0} | tags)
        kept = {key: value for key, value in tags.items() if value}
        readings += [
            (named(f"{plugin}.{kind}" + ("" if name == "value" else f".{name}"), kept), time, value)
            for name, value in values.items()
        ]
    return json.dumps(lists).encode(), readings


tags_of_collectd = st.fixed_dictionaries(
    {"host": words, "plugin_instance": words | st.just(""), "type_instance": words | st.just("")}
)


def _otlp(kind: str) -> Callable[[bytes], list[Reading]]:
    return lambda body: [(one.series, one.time, one.value) for one in otlp.parse(body, kind, NOW_MS)[0]]


class Format(NamedTuple):
    """A push format: where it is sent, as what, its parser, and bodies of it."""

    url: str
    content_type: str
    parse: Callable[[bytes], list[Reading]]
    bodies: st.SearchStrategy[Said]


FORMATS = {
    "json": Format(
        "/api/series", "application/json", lambda body: our_json.parse(body, NOW_MS).readings, json_bodies()
    ),
    "line protocol": Format(
        "/write", "text/plain", lambda body: line_protocol.parse(body, "ns", NOW_MS).readings, line_bodies()
    ),
    "otlp": Format("/v1/metrics", otlp.PROTOBUF, _otlp(otlp.PROTOBUF), otlp_bodies),
    "otlp json": Format("/v1/metrics", otlp.JSON, _otlp(otlp.JSON), otlp_json_bodies),
    "collectd": Format(
        "/collectd", "application/json", lambda body: collectd.parse(body, NOW_MS).readings, collectd_bodies()
    ),
}


# ---- what is no body ----

KEYS = [
    "name",
    "value",
    "time",
    "values",
    "dsnames",
    "plugin",
    "type",
    "host",
    "resourceMetrics",
    "gauge",
    "attributes",
]
any_text = st.text(st.characters(exclude_categories=()))  # surrogates, too
any_json = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | any_text | st.sampled_from([2**64, 10**400, NOW_MS]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(KEYS) | any_text, inner, max_size=3),
    max_leaves=8,
)
splinters = st.sampled_from([b'"', b"\\", b"{", b"}", b"[", b",", b"=", b" ", b"\n", b"\r", b"-", b"9" * 25, b"e999"])


@st.composite
def mutated(draw: Draw, bodies: st.SearchStrategy[Said]) -> bytes:
    """A body that was good, with some bytes exchanged."""
    body = bytearray(draw(bodies)[0])
    for _ in range(draw(st.integers(1, 4))):
        at = draw(st.integers(0, len(body)))
        body[at : at + draw(st.integers(0, 8))] = draw(splinters | st.binary(max_size=4))
    return bytes(body)


@st.composite
def misfilled(draw: Draw, bodies: st.SearchStrategy[Said]) -> bytes:
    """JSON that was good, with one part of it exchanged for any other JSON."""
    first, _ = json.JSONDecoder().raw_decode(draw(bodies)[0].decode())
    return json.dumps(_misfilled(draw, first)).encode()


def _misfilled(draw: Draw, value: Any) -> Any:
    if isinstance(value, dict | list) and value and draw(st.integers(0, 5)):
        key = draw(st.sampled_from(sorted(value) if isinstance(value, dict) else range(len(value))))
        changed = value.copy()
        changed[key] = _misfilled(draw, value[key])
        return changed
    return draw(any_json)


def corrupted(form: str) -> st.SearchStrategy[bytes]:
    """Anything, and what nearly is a body of a format."""
    bodies = FORMATS[form].bodies
    found = st.binary() | mutated(bodies)
    if form in {"line protocol", "otlp"}:
        return found
    return found | any_json.map(lambda one: json.dumps(one).encode()) | misfilled(bodies)
