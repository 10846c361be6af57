"""OTLP/HTTP metrics, protobuf and JSON (https://opentelemetry.io/docs/specs/otlp/).

A point of a gauge or sum is a sample of ``name{attribute=value,...}``; of a histogram or summary, one of ``name.count``
and one of ``name.sum``. ``service.name``, ``service.instance.id`` and ``host.name`` of the resource are attributes.
"""

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from threading import Lock
from typing import Any

from google.protobuf import json_format
from google.protobuf.message import DecodeError, Message
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import (
    ExportMetricsServiceRequest,
    ExportMetricsServiceResponse,
)
from opentelemetry.proto.metrics.v1.metrics_pb2 import AggregationTemporality, DataPointFlags, Metric

from app.errors import BadPush, BadSample
from app.journal import Reading
from app.push import check_time, series_name
from app.series import check_name, check_value

RESOURCE = {"service.name", "service.instance.id", "host.name"}
MAX_UNIT = 30  # characters
JSON = "application/json"
PROTOBUF = "application/x-protobuf"


@dataclass(frozen=True)
class Point:
    """A reading, or with ``is_delta`` what is to be added to the series' last value."""

    series: str
    time: int
    value: float | None
    is_delta: bool
    unit: str = ""


def parse(body: bytes, kind: str, now_ms: int) -> tuple[list[Point], list[str]]:
    """Return the points of *body*, whose content type is *kind*, and a sentence for each that cannot be one.

    Raises:
        BadPush: it is no ExportMetricsServiceRequest.
    """
    request = ExportMetricsServiceRequest()
    try:
        if kind == JSON:
            if not body.lstrip().startswith(b"{"):  # of a list or a text json_format ignores all as unknown
                raise ValueError("it is no JSON object")
            json_format.Parse(body, request, ignore_unknown_fields=True, max_recursion_depth=50)
        else:
            request.ParseFromString(body)
    except (json_format.ParseError, DecodeError, UnicodeDecodeError, RecursionError, ValueError) as error:
        why = str(error)[:200].encode(errors="backslashreplace").decode()  # a Status takes no lone surrogates
        raise BadPush(f"It is no ExportMetricsServiceRequest: {why}.", "Check the exporter.") from None
    points: list[Point] = []
    problems: list[str] = []
    for resource in request.resource_metrics:
        shared = _attributes(one for one in resource.resource.attributes if one.key in RESOURCE)
        for scope in resource.scope_metrics:
            for metric in scope.metrics:
                for point in _points(metric, shared):
                    try:
                        points.append(_check(point, now_ms))
                    except (BadPush, BadSample) as error:
                        problems.append(error.what)
    return points, problems


def _check(point: Point, now_ms: int) -> Point:
    check_name(point.series)
    check_value(point.series, point.value)
    check_time(point.series[:80], point.time, now_ms)
    return point


def _points(metric: Metric, shared: dict[str, str]) -> Iterator[Point]:
    kind = metric.WhichOneof("data")
    if kind is None:
        return
    data = getattr(metric, kind)
    is_delta = getattr(data, "aggregation_temporality", None) == AggregationTemporality.AGGREGATION_TEMPORALITY_DELTA
    for point in data.data_points:
        time = point.time_unix_nano // 1_000_000
        missing = bool(point.flags & DataPointFlags.DATA_POINT_FLAGS_NO_RECORDED_VALUE_MASK)
        tags = shared | _attributes(point.attributes)
        if kind in {"gauge", "sum"}:
            field = point.WhichOneof("value")
            values = {metric.name: getattr(point, field) if field else None}
        else:
            values = {f"{metric.name}.count": point.count}
            if missing or kind == "summary" or point.HasField("sum"):  # a histogram of values below 0 has none
                values[f"{metric.name}.sum"] = point.sum
        for name, value in values.items():
            unit = "" if name.endswith(".count") and name != metric.name else _unit(metric.unit)
            number = None if missing or value is None else float(value)
            yield Point(series_name(name, tags), time, number, is_delta, unit)


def _unit(ucum: str) -> str:
    """Return a unit as people write it (https://ucum.org/ucum): "By" is B, "1" none, and "{request}" a mere note."""
    if not ucum.isprintable():
        return ""
    if ucum.startswith("{") and ucum.endswith("}"):
        return ucum[1:-1][:MAX_UNIT]
    unit = re.sub(r"\bBy\b", "B", re.sub(r"([KMGT]i)By\b", r"\1B", ucum))
    return {"1": "", "Cel": "°C", "us": "µs", "bit": "b"}.get(unit, unit)[:MAX_UNIT]


def _attributes(pairs: Any) -> dict[str, str]:
    found = {}
    for pair in pairs:
        field = pair.value.WhichOneof("value")
        value = getattr(pair.value, field) if field else ""
        found[pair.key] = str(value).lower() if isinstance(value, bool) else str(value).strip()
    return found


class DeltaSums:
    """Adds deltas up: a live plot shows a count that only grows, whatever the exporter sends."""

    def __init__(self) -> None:
        self._lock = Lock()  # held for a push with deltas: they build on each other
        self._last: dict[str, tuple[int, float]] = {}

    def append(
        self,
        points: list[Point],
        last_value: Callable[[str], tuple[int, float] | None],
        append: Callable[[list[Reading]], Any],
    ) -> Any:
        """Call *append* with the readings of *points*, deltas added to the last value; return its result.

        A delta that is not younger than the last one of its series is a repeat, and left out.
        """
        if not any(point.is_delta for point in points):
            return append([(point.series, point.time, point.value) for point in points])
        with self._lock:
            last = dict(self._last)
            readings: list[Reading] = []
            for point in points:
                value = point.value
                if point.is_delta and value is not None:
                    time, total = last.get(point.series) or last_value(point.series) or (-1, 0.0)
                    if point.time <= time:
                        continue
                    value += total
                    last[point.series] = (point.time, value)
                readings.append((point.series, point.time, value))
            result = append(readings)
            self._last = last  # only now: what was not kept comes again
            return result


def answer(kind: str, problems: list[str]) -> bytes:
    """Return an ExportMetricsServiceResponse as the body of an answer of type *kind*.

    Args:
        problems: a sentence for each point that was refused.
    """
    response = ExportMetricsServiceResponse()
    if problems:
        response.partial_success.rejected_data_points = len(problems)
        response.partial_success.error_message = " ".join(dict.fromkeys(problems))[:1000]
    return encode(response, kind)


def encode(message: Message, kind: str) -> bytes:
    """Return a protobuf *message* as the body of an answer of type *kind*."""
    return json_format.MessageToJson(message).encode() if kind == JSON else bytes(message.SerializeToString())
