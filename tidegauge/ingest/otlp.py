"""OTLP/HTTP metrics, protobuf and JSON (https://opentelemetry.io/docs/specs/otlp/).

A point of a gauge or sum is a sample of ``name{attribute=value,...}``; of a histogram or summary, one of ``name.count``
and one of ``name.sum``. ``service.name``, ``service.instance.id`` and ``host.name`` of the resource are attributes.
"""

import re
from collections.abc import Iterator
from typing import Any

from google.protobuf import json_format
from google.protobuf.message import DecodeError, Message
from google.rpc.status_pb2 import Status
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import (
    ExportMetricsServiceRequest,
    ExportMetricsServiceResponse,
)
from opentelemetry.proto.metrics.v1.metrics_pb2 import AggregationTemporality, DataPointFlags, Metric

from tidegauge.errors import BadPush, BadSample
from tidegauge.ingest.deltas import Point
from tidegauge.ingest.push import check_time, series_name
from tidegauge.store.series import check_name, check_value

RESOURCE = {"service.name", "service.instance.id", "host.name"}
MAX_UNIT = 30  # characters
JSON = "application/json"
PROTOBUF = "application/x-protobuf"
# Of gRPC, by the status of HTTP: https://github.com/googleapis/googleapis/blob/master/google/rpc/code.proto
CODES = {400: 3, 401: 16, 403: 7, 413: 3, 415: 3}


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


def answer(kind: str, problems: list[str]) -> bytes:
    """Return an ExportMetricsServiceResponse as the body of an answer of type *kind*.

    Args:
        problems: a sentence for each point that was refused.
    """
    response = ExportMetricsServiceResponse()
    if problems:
        response.partial_success.rejected_data_points = len(problems)
        response.partial_success.error_message = " ".join(dict.fromkeys(problems))[:1000]
    return _encode(response, kind)


def refusal(kind: str, status: int, message: str) -> bytes:
    """Return a google.rpc.Status as the body of an answer of type *kind*.

    Args:
        status: of HTTP.
        message: says what is wrong.
    """
    return _encode(Status(code=CODES.get(status, 14), message=message), kind)


def _encode(message: Message, kind: str) -> bytes:
    return json_format.MessageToJson(message).encode() if kind == JSON else bytes(message.SerializeToString())
