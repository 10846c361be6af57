"""The push URLs: who may push, how large a body may be, and what each format's clients expect as an answer."""

import zlib
from collections.abc import Callable, Iterable
from hashlib import blake2b

from flask import Blueprint, Response, current_app, json, jsonify, request
from flask.sansio.blueprints import BlueprintSetupState
from werkzeug.exceptions import ClientDisconnected
from werkzeug.wsgi import get_content_length, get_input_stream

from tidegauge.errors import BadEncoding, BodyTooLarge, ExtraMissing, NotAllowed, TidegaugeError, TooManySeries
from tidegauge.ingest import collectd, json_samples, line_protocol
from tidegauge.ingest.deltas import DeltaSums
from tidegauge.ingest.push import Push
from tidegauge.server.current import current_owner
from tidegauge.settings import Token
from tidegauge.store.hub import Receipt
from tidegauge.store.journal import Reading
from tidegauge.store.times import now_ms
from tidegauge.web.access import pusher

blueprint = Blueprint("push", __name__)
DELTAS = "tidegauge.deltas"  # in the extensions of our own Flask application
MAX_BODY = 16 * 2**20  # bytes, before and after decompression; apache/tidegauge.conf has the same
PART_BYTES = 2**20
GZIP_PART = 2**13  # bytes given to gzip at once: after each of its members, zlib copies what is left of them


@blueprint.after_request
def _count(response: Response) -> Response:
    current_owner().pushes.labels(request.path, response.status_code).inc()
    return response


@blueprint.record_once
def _add_deltas(state: BlueprintSetupState) -> None:
    state.app.extensions[DELTAS] = DeltaSums()


@blueprint.post("/api/series")
def push_json() -> Response:
    """Take JSON: one object, an array, or one object a line. Answers ``{"seq": n}``, the last sequence number."""
    return Response(b'{"seq":%d}\n' % _push_all(json_samples.parse).seq, mimetype="application/json")


@blueprint.delete("/api/series")
def delete() -> Response:
    """Delete the series that ``?name=`` names, once or more often. Answers ``{"deleted": n}``."""
    token = pusher()
    names = list(dict.fromkeys(request.args.getlist("name")))
    _check_prefix(token, names)
    current_owner().hub.delete(names)
    return jsonify(deleted=len(names))


@blueprint.post("/api/v2/write")
@blueprint.post("/write")
def push_line_protocol() -> Response:
    """Take InfluxDB line protocol (v2, v1). Good lines are kept also where others are bad."""
    try:
        token = pusher()
        body = _body()
        push = line_protocol.parse(body, request.args.get("precision", "ns"), now_ms())
        receipt = _append(token, body, push.readings)
    except TidegaugeError as error:
        code = {401: "unauthorized", 403: "forbidden", 413: "request too large", 503: "unavailable"}
        return _influx_error(error.status, code.get(error.status, "invalid"), str(error))
    problems = push.problems + ([TooManySeries(receipt.refused).what] if receipt.refused else [])
    if problems:
        more = f" ... and {len(problems) - 10} more" if len(problems) > 10 else ""
        return _influx_error(400, "invalid", " ".join(problems[:10]) + more)
    return Response(status=204)


@blueprint.post("/v1/metrics")
def push_otlp() -> Response:
    """Take OTLP/HTTP metrics, protobuf or JSON; answers in the same type."""
    try:
        from tidegauge.ingest import otlp  # what it needs is an extra
    except ImportError:
        raise ExtraMissing("OTLP metrics", "otlp") from None
    kind = request.mimetype
    try:
        if kind not in {otlp.JSON, otlp.PROTOBUF}:
            raise BadEncoding("Content-Type", kind, f"{otlp.PROTOBUF} or {otlp.JSON}")
        token = pusher()
        body = _body()
        points, problems = otlp.parse(body, kind, now_ms())
        deltas: DeltaSums = current_app.extensions[DELTAS]
        hub = current_owner().hub
        receipt = deltas.append(points, hub.windows.last_value, lambda readings: _append(token, body, readings))
        hub.note_units({point.series: point.unit for point in points if point.unit})
    except TidegaugeError as error:
        kind = otlp.JSON if kind == otlp.JSON else otlp.PROTOBUF
        return _unavailable(Response(otlp.refusal(kind, error.status, str(error)), error.status, mimetype=kind))
    problems += [TooManySeries(receipt.refused).what for point in points if point.series in receipt.refused]
    return Response(otlp.answer(kind, problems), mimetype=kind)


@blueprint.post("/collectd")
def push_collectd() -> Response:
    """Take collectd's write_http, Format JSON."""
    _push_all(collectd.parse)
    return Response(status=204)


@blueprint.route("/ping", methods=["GET", "HEAD"])
def ping() -> Response:
    """Answer as InfluxDB does: its clients ask this first."""
    return Response(status=204, headers={"X-Influxdb-Version": "2.7-tidegauge", "X-Influxdb-Build": "tidegauge"})


@blueprint.post("/query")
def query() -> Response:
    """Answer CREATE DATABASE, which v1 clients send before they write; there are no databases here."""
    pusher()
    _body()
    return jsonify(results=[{"statement_id": 0}])


def _body() -> bytes:
    """Return the request's body, decompressed."""
    body = _read()
    encoding = request.environ.get("HTTP_CONTENT_ENCODING", "").strip().lower()
    if encoding in {"gzip", "x-gzip"}:
        body = _gunzip(body)
    elif encoding not in {"", "identity"}:
        raise BadEncoding("Content-Encoding", encoding, "gzip, or none")
    if len(body) > MAX_BODY:
        raise BodyTooLarge(MAX_BODY)
    return body


def _gunzip(body: bytes) -> bytes:
    """Return what the members of *body* say, one after the other."""
    parts, total, reader = [], 0, zlib.decompressobj(wbits=31)
    try:
        for start in range(0, len(body), GZIP_PART):
            left = body[start : start + GZIP_PART]
            while left and total <= MAX_BODY:
                if reader.eof:
                    reader = zlib.decompressobj(wbits=31)
                parts.append(reader.decompress(left, MAX_BODY + 1 - total))
                total += len(parts[-1])
                left = reader.unused_data
    except zlib.error as error:
        raise BadEncoding("Content-Encoding", "gzip", f"a body that is gzip ({error})", status=400) from None
    if total > MAX_BODY:
        raise BodyTooLarge(MAX_BODY)
    if not reader.eof:
        raise BadEncoding("Content-Encoding", "gzip", "a body that is not cut short", status=400)
    return b"".join(parts)


def _read() -> bytes:
    """Return the body as it was sent, asked for in parts: mod_wsgi makes room for all that is asked for."""
    environ = request.environ  # the request's own properties look for a limit that is set nowhere: 6 us
    length, stream = get_content_length(environ), get_input_stream(environ)
    if length is not None and length > MAX_BODY:
        raise BodyTooLarge(MAX_BODY)
    parts: list[bytes] = []
    total = 0
    # Not beyond a length that is known: one more read would only give the interpreter up to hear that nothing is left.
    try:
        while total != length and (
            part := stream.read(PART_BYTES if length is None else min(PART_BYTES, length - total))
        ):
            parts.append(part)
            total += len(part)
            if total > MAX_BODY:
                raise BodyTooLarge(MAX_BODY)
    except OSError as error:  # whoever sends it has gone, or its chunks are none: no fault of ours, so no traceback
        raise ClientDisconnected from error
    return b"".join(parts)


def _push_all(parse: Callable[[bytes, int], Push]) -> Receipt:
    """Keep what this request brings in a format whose clients want one answer for the whole body."""
    token = pusher()
    body = _body()
    receipt = _append(token, body, parse(body, now_ms()).readings)
    if receipt.refused:
        raise TooManySeries(receipt.refused)
    return receipt


def _check_prefix(token: Token, names: Iterable[str]) -> None:
    if not token.prefix:
        return
    for name in names:
        if not name.startswith(token.prefix):
            raise NotAllowed(
                f"The token {token.name!r} may push series that begin with {token.prefix!r}: {name[:80]!r} does not.",
                "Use another token, or another name.",
            )


def _append(token: Token, body: bytes, readings: list[Reading]) -> Receipt:
    _check_prefix(token, (name for name, _, _ in readings))
    push = None
    if readings and all(time is not None for _, time, _ in readings):
        hashed = blake2b(body, digest_size=16, person=b"push")
        hashed.update(f"{request.path}?{request.args.get('precision', '')}".encode())
        push = hashed.digest()
    return current_owner().hub.append(readings, push)


def _influx_error(status: int, code: str, message: str) -> Response:
    response = Response(json.dumps({"code": code, "message": message, "error": message}), status)
    response.mimetype = "application/json"
    return _unavailable(response)


def _unavailable(response: Response) -> Response:
    if response.status_code == 503:
        response.headers["Retry-After"] = "5"
    return response
