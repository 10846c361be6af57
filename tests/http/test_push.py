"""What each push URL takes, answers and refuses."""

import gzip
import json
import time
from base64 import b64encode
from io import BytesIO
from typing import Any

import pytest
from flask.testing import FlaskClient
from google.rpc.status_pb2 import Status
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import (
    ExportMetricsServiceRequest,
    ExportMetricsServiceResponse,
)
from opentelemetry.proto.metrics.v1.metrics_pb2 import AggregationTemporality
from served import ROOM_TOKEN, TOKEN
from werkzeug.test import TestResponse

from tidegauge.server.owner import Owner

AUTH = {"Authorization": f"Bearer {TOKEN}"}
NOW_MS = time.time_ns() // 1_000_000


def push(client: FlaskClient, body: Any, url: str = "/api/series", **headers: str) -> TestResponse:
    sent = body if isinstance(body, bytes) else json.dumps(body).encode()
    return client.post(url, data=sent, headers=AUTH | {name.replace("_", "-"): v for name, v in headers.items()})


def kept(client: FlaskClient, name: str) -> list[tuple[int, float | None]]:
    answer = client.get("/api/series", query_string={"name": name})
    if answer.status_code == 404:
        return []
    return list(zip(answer.json["t"], answer.json["v"], strict=True))  # type: ignore[index]


def count(client: FlaskClient) -> int:
    """How many samples of pushed series are kept."""
    names = [one["name"] for one in client.get("/api/series").json["series"] if one["seq"]]  # type: ignore[index]
    return sum(
        len(kept(client, name)) for name in names if not name.startswith(("process.", "apache.", "daemon.", "journal."))
    )


# ---- JSON ----


def test_one_object_is_a_sample_with_the_time_of_its_arrival(client: FlaskClient) -> None:
    answer = push(client, {"name": "room.temperature", "value": 21.5})
    assert answer.status_code == 200
    assert answer.json["seq"] > 0  # type: ignore[index]
    [(at, value)] = kept(client, "room.temperature")
    assert (NOW_MS <= at <= time.time_ns() // 1_000_000, value) == (True, 21.5)


@pytest.mark.parametrize(
    "body",
    [
        [{"name": "a", "value": 1, "time": NOW_MS}, {"name": "a", "value": None, "time": NOW_MS + 1}],
        b'{"name": "a", "value": 1, "time": %d}\n\n{"name": "a", "value": null, "time": %d}\n' % (NOW_MS, NOW_MS + 1),
    ],
)
def test_an_array_or_one_object_a_line_are_several_samples(client: FlaskClient, body: Any) -> None:
    assert push(client, body).status_code == 200
    assert kept(client, "a") == [(NOW_MS, 1.0), (NOW_MS + 1, None)]


def test_a_time_may_be_iso_8601(client: FlaskClient) -> None:
    push(client, {"name": "a", "value": True, "time": "2026-11-23T12:00:00.5+01:00"})
    assert kept(client, "a") == [(1795431600500, 1.0)]


@pytest.mark.parametrize(
    ("body", "place"),
    [
        (b"", "line 1, column 1"),
        (b"{", "line 1, column 2"),
        (b"[]", "no sample"),
        (b"17", "sample 1: 17 is no object"),
        (b'{"name": "a", "value": NaN}', "NaN is not JSON"),
        (b'{"name": "a", "value": -Infinity}', "-Infinity is not JSON"),
        (b'{"name": "a", "value": 1e999}', "inf"),
        (b'{"name": "a", "value": 99999999999999999999}', "64 bits"),
        (b'{"name": "a", "value": 1, "value": 2}', "'value' is there twice"),
        (b'{"name": "a", "value": "1"}', "has the value '1'"),
        (b'{"name": "a", "value": [1]}', "has the value [1]"),
        (b'{"name": 7, "value": 1}', "the name 7 is no text"),
        (b'{"name": "a"}', "it has no value"),
        (b'{"value": 1}', "it has no name"),
        (b'{"name": "a", "value": 1, "colour": 2}', "'colour' is not known"),
        (b'{"name": "a\\ud800", "value": 1}', "cannot name a series"),
        (b'{"name": "", "value": 1}', "cannot name a series"),
        (b'{"name": "a", "value": 1, "time": 1795000000}', "years away"),
        (b'{"name": "a", "value": 1, "time": "soon"}', "the time 'soon' is none"),
        (b'{"name": "a", "value": 1, "time": 1e400}', "the time inf is none"),
        (b'[{"name": "a", "value": 1}, {"name": "b"}]', "sample 2"),
        (b'{"name": "a", "value": 1}\n{"name": "b"', "line 2"),
        (b'{"name": "a", "value": 1}\n\n\xff', "line 3: byte 27"),
        (b"[" * 100_000, "nested too deeply"),
    ],
)
def test_a_body_with_a_fault_is_refused_with_the_place_and_nothing_of_it_is_kept(
    untouched: FlaskClient, body: bytes, place: str
) -> None:
    answer = push(untouched, body)
    assert answer.status_code == 400
    assert place in answer.json["detail"]  # type: ignore[index]
    assert answer.json["cure"]  # type: ignore[index]
    assert count(untouched) == 0


def test_series_past_the_cap_are_named_and_the_others_kept(client: FlaskClient) -> None:
    push(client, {"name": "known", "value": 0})
    names = [f"s{n}" for n in range(40)]
    answer = push(client, [{"name": name, "value": 1} for name in [*names, "known"]])
    assert answer.status_code == 400
    assert "s39" in answer.json["detail"] or "..." in answer.json["detail"]  # type: ignore[index]
    assert [value for _, value in kept(client, "known")] == [0.0, 1.0]
    assert client.get("/health").json["readings_refused"] > 0  # type: ignore[index]


# ---- bodies and tokens ----


def test_gzip_is_taken_and_what_is_cut_or_too_large_is_refused(client: FlaskClient) -> None:
    whole = gzip.compress(b'{"name": "a", "value": 1}')
    assert push(client, whole, Content_Encoding="gzip").status_code == 200
    assert push(client, whole[:-9], Content_Encoding="gzip").status_code == 400
    assert push(client, b"no gzip", Content_Encoding="gzip").status_code == 400
    assert push(client, gzip.compress(b" " * (17 * 2**20)), Content_Encoding="gzip").status_code == 413
    assert push(client, b" " * (17 * 2**20)).status_code == 413
    assert push(client, whole, Content_Encoding="br").status_code == 415
    assert count(client) == 1


def test_every_member_of_a_gzip_body_is_read(client: FlaskClient) -> None:
    first, second = gzip.compress(b'{"name": "a", "value": 1}\n'), gzip.compress(b'{"name": "b", "value": 2}')
    assert push(client, first + second, Content_Encoding="gzip").status_code == 200
    assert [len(kept(client, name)) for name in "ab"] == [1, 1]
    for wrong, status in ((b"x", 400), (second[:-1], 400), (gzip.compress(b" " * (16 * 2**20)), 413)):
        assert push(client, first + second + wrong, Content_Encoding="gzip").status_code == status
    assert push(client, gzip.compress(b"") * 2000 + second, Content_Encoding="gzip").status_code == 200


def test_a_body_of_unknown_length_is_read_to_its_end(client: FlaskClient) -> None:
    body = b" " * (3 * 2**20) + b'{"name": "a", "value": 1}'
    environ = {"wsgi.input_terminated": True, "wsgi.input": BytesIO(body), "HTTP_TRANSFER_ENCODING": "chunked"}
    assert client.post("/api/series", headers=AUTH, environ_overrides=environ).status_code == 200
    assert len(kept(client, "a")) == 1


@pytest.mark.parametrize(
    "authorization",
    [f"Bearer {TOKEN}", f"Token {TOKEN}", f"token {TOKEN}", "Basic " + b64encode(f"any:{TOKEN}".encode()).decode()],
)
def test_a_token_comes_in_three_ways(client: FlaskClient, authorization: str) -> None:
    assert push(client, {"name": "a", "value": 1}, Authorization=authorization).status_code == 200


@pytest.mark.parametrize(
    "authorization", ["", "Bearer", f"Bearer {TOKEN}x", f"Digest {TOKEN}", "Basic x", f"Basic {TOKEN}"]
)
@pytest.mark.parametrize("url", ["/api/series", "/api/v2/write", "/write", "/v1/metrics", "/collectd", "/query"])
def test_no_push_without_a_token_and_the_refusal_names_the_setting(
    untouched: FlaskClient, url: str, authorization: str
) -> None:
    answer = push(untouched, b"", url, Authorization=authorization, Content_Type="application/json")
    assert answer.status_code == 403
    assert "TIDEGAUGE_PUSH_TOKEN" in answer.text


@pytest.mark.parametrize("sign", [{"Origin": "https://evil.example"}, {"Sec_Fetch_Site": "cross-site"}])
def test_a_password_that_a_browser_adds_by_itself_is_no_token(client: FlaskClient, sign: dict[str, str]) -> None:
    basic = "Basic " + b64encode(f"any:{TOKEN}".encode()).decode()
    assert push(client, {"name": "a", "value": 1}, Authorization=basic, **sign).status_code == 403
    assert push(client, {"name": "a", "value": 1}, Authorization=f"Bearer {TOKEN}", **sign).status_code == 200
    forwarded = {"Authorization": basic, "X-Forwarded-For": "192.0.2.7", "Sec-Fetch-Site": "none"}
    assert client.get("/metrics", headers=forwarded).status_code == 200


@pytest.mark.parametrize("url", ["/api/series", "/api/v2/write", "/v1/metrics", "/collectd"])
def test_who_brings_no_token_is_asked_for_one(untouched: FlaskClient, url: str) -> None:
    answer = untouched.post(url, data=b"", headers={"Content-Type": "application/json"})
    assert (answer.status_code, answer.headers["WWW-Authenticate"]) == (401, 'Basic realm="Tidegauge push"')
    assert "TIDEGAUGE_PUSH_TOKEN" in answer.text


def test_a_token_with_a_prefix_writes_those_series_alone(client: FlaskClient) -> None:
    bearer = f"Bearer {ROOM_TOKEN}"
    assert push(client, {"name": "room.a", "value": 1}, Authorization=bearer).status_code == 200
    answer = push(client, [{"name": "room.b", "value": 1}, {"name": "hall", "value": 1}], Authorization=bearer)
    assert answer.status_code == 403
    assert "'hall' does not" in answer.json["detail"]  # type: ignore[index]
    assert kept(client, "room.b") == []


def test_a_series_is_deleted_with_a_token_for_its_prefix_alone(client: FlaskClient) -> None:
    push(client, [{"name": "room.a", "value": 1}, {"name": "hall", "value": 1}])
    rooms = {"Authorization": f"Bearer {ROOM_TOKEN}"}
    assert client.delete("/api/series?name=room.a").status_code == 401
    assert client.delete("/api/series?name=room.a&name=hall", headers=rooms).status_code == 403
    assert client.delete("/api/series?name=room.a&name=none", headers=AUTH).status_code == 404
    assert len(kept(client, "room.a")) == 1
    assert client.delete("/api/series?name=room.a", headers=rooms).json == {"deleted": 1}
    assert (kept(client, "room.a"), len(kept(client, "hall"))) == ([], 1)


# ---- again is not twice ----


def test_a_body_that_is_sent_again_is_stored_once_if_it_has_times(client: FlaskClient) -> None:
    timed = [{"name": "a", "value": 1, "time": NOW_MS}, {"name": "a", "value": 1, "time": NOW_MS - 5}]
    first, second = push(client, timed), push(client, timed)
    assert first.json == second.json
    assert len(kept(client, "a")) == 2
    for _ in range(2):
        push(client, {"name": "b", "value": 1})
    assert len(kept(client, "b")) == 2


# ---- line protocol ----


def line(client: FlaskClient, body: bytes, precision: str = "ms", url: str = "/api/v2/write") -> TestResponse:
    return push(client, body, f"{url}?precision={precision}")


def test_every_number_field_of_a_line_is_a_sample(client: FlaskClient) -> None:
    body = b'cpu\\ load,host=web1,a=b user=1.5,idle=98i,up=t,text="x" %d\n# a comment\n\r\n' % NOW_MS
    assert line(client, body).status_code == 204
    for field, value in (("user", 1.5), ("idle", 98.0), ("up", 1.0)):
        assert kept(client, f"cpu load.{field}{{a=b,host=web1}}") == [(NOW_MS, value)]
    assert count(client) == 3


@pytest.mark.parametrize(
    ("precision", "per_ms"), [("ns", 1_000_000), ("us", 1000), ("u", 1000), ("ms", 1), ("s", 0.001), ("n", 1_000_000)]
)
def test_times_are_in_the_precision_that_is_named(client: FlaskClient, precision: str, per_ms: float) -> None:
    second = NOW_MS // 1000 * 1000
    assert line(client, b"a v=1 %d" % int(second * per_ms), precision, "/write").status_code == 204
    assert kept(client, "a.v") == [(second, 1.0)]


def test_a_bad_line_is_named_and_the_good_ones_kept(client: FlaskClient) -> None:
    answer = line(client, b"a v=1\nb v=\nc v=2\nd v=1 12\n")
    assert (answer.status_code, answer.json["code"]) == (400, "invalid")  # type: ignore[index]
    assert answer.json["message"].startswith("line 2: ")  # type: ignore[index]
    assert "line 4: the time 12 ms" in answer.json["message"]  # type: ignore[index]
    assert [len(kept(client, name)) for name in ("a.v", "b.v", "c.v", "d.v")] == [1, 0, 1, 0]


def test_a_text_that_is_never_closed_costs_its_own_line_only(client: FlaskClient) -> None:
    answer = line(client, b'a v="open\nb v=1\nc w=2\n')
    assert (answer.status_code, answer.json["message"].startswith("line 1: ")) == (400, True)  # type: ignore[index]
    assert [len(kept(client, name)) for name in ("b.v", "c.w")] == [1, 1]


@pytest.mark.parametrize("tag", [b"a%", b"a\\,b", b"a\\=b", b"http://x/?a{b}", "größe".encode()])
def test_tags_of_real_life_give_names_that_can_be_read_back(client: FlaskClient, tag: bytes) -> None:
    assert line(client, b"a,t=%s v=1" % tag).status_code == 204
    [name] = [one["name"] for one in client.get("/api/series").json["series"] if one["name"].startswith("a.v")]  # type: ignore[index]
    assert name.count("{") == name.count("}") == name.count("=") == 1
    assert len(kept(client, name)) == 1


def test_clients_of_influxdb_find_what_they_ask_before_they_write(client: FlaskClient) -> None:
    assert client.get("/ping").status_code == 204
    assert client.get("/ping").headers["X-Influxdb-Version"]
    assert client.get("/health").json["status"] == "pass"  # type: ignore[index]
    assert push(client, b"q=CREATE+DATABASE+x", "/query").json == {"results": [{"statement_id": 0}]}


# ---- OTLP ----


def otlp(kind: str, value: float, *, at: int = NOW_MS, delta: bool = False) -> ExportMetricsServiceRequest:
    request = ExportMetricsServiceRequest()
    resource = request.resource_metrics.add()
    attribute = resource.resource.attributes.add(key="service.name")
    attribute.value.string_value = "shop"
    metric = resource.scope_metrics.add().metrics.add(name="orders")
    data = getattr(metric, kind)
    point = data.data_points.add(time_unix_nano=at * 1_000_000)
    if kind != "gauge":
        data.aggregation_temporality = (
            AggregationTemporality.AGGREGATION_TEMPORALITY_DELTA
            if delta
            else AggregationTemporality.AGGREGATION_TEMPORALITY_CUMULATIVE
        )
    if kind == "histogram":
        point.count, point.sum = 4, value
    else:
        point.as_double = value
    return request


PROTOBUF = "application/x-protobuf"
ORDERS = "orders{service.name=shop}"


def test_gauges_sums_and_histograms_are_samples(client: FlaskClient) -> None:
    for kind in ("gauge", "sum", "histogram"):
        body = otlp(kind, 2.5, at=NOW_MS + len(kind)).SerializeToString()
        answer = push(client, body, "/v1/metrics", Content_Type=PROTOBUF)
        assert (answer.status_code, answer.mimetype) == (200, PROTOBUF)
        assert ExportMetricsServiceResponse.FromString(answer.data) == ExportMetricsServiceResponse()
    assert kept(client, ORDERS) == [(NOW_MS + 5, 2.5), (NOW_MS + 3, 2.5)]
    assert kept(client, "orders.count{service.name=shop}") == [(NOW_MS + 9, 4.0)]
    assert kept(client, "orders.sum{service.name=shop}") == [(NOW_MS + 9, 2.5)]


@pytest.mark.parametrize(
    ("ucum", "unit"),
    [("ms", "ms"), ("By", "B"), ("KiBy/s", "KiB/s"), ("1", ""), ("{request}", "request"), ("\x00", "")],
)
def test_the_unit_of_a_metric_is_kept_as_people_write_it(client: FlaskClient, ucum: str, unit: str) -> None:
    request = otlp("histogram", 2.5)
    request.resource_metrics[0].scope_metrics[0].metrics[0].unit = ucum
    push(client, request.SerializeToString(), "/v1/metrics", Content_Type=PROTOBUF)
    units = {one["name"]: one["unit"] for one in client.get("/api/series").json["series"]}  # type: ignore[index]
    assert (units["orders.sum{service.name=shop}"], units["orders.count{service.name=shop}"]) == (unit, "")


def test_deltas_are_added_up_and_one_that_is_sent_again_is_not(client: FlaskClient) -> None:
    for at in (1, 2, 2, 3):
        body = otlp("sum", 2.0, at=NOW_MS + at, delta=True).SerializeToString()
        assert push(client, body, "/v1/metrics", Content_Type=PROTOBUF).status_code == 200
    assert kept(client, ORDERS) == [(NOW_MS + 1, 2.0), (NOW_MS + 2, 4.0), (NOW_MS + 3, 6.0)]


def test_a_point_without_a_value_is_a_gap(client: FlaskClient) -> None:
    request = otlp("gauge", 0)
    request.resource_metrics[0].scope_metrics[0].metrics[0].gauge.data_points[0].flags = 1
    push(client, request.SerializeToString(), "/v1/metrics", Content_Type=PROTOBUF)
    assert kept(client, ORDERS) == [(NOW_MS, None)]


def test_points_that_are_none_are_counted_and_named_and_the_others_kept(client: FlaskClient) -> None:
    request = otlp("gauge", 2.5)
    data = request.resource_metrics[0].scope_metrics[0].metrics[0].gauge.data_points
    data.add(time_unix_nano=NOW_MS * 1_000_000, as_double=float("nan"))
    data.add(time_unix_nano=17, as_double=1.0)
    answer = push(client, request.SerializeToString(), "/v1/metrics", Content_Type=PROTOBUF)
    partial = ExportMetricsServiceResponse.FromString(answer.data).partial_success
    assert (answer.status_code, partial.rejected_data_points) == (200, 2)
    assert "nan" in partial.error_message
    assert "years away" in partial.error_message
    assert kept(client, ORDERS) == [(NOW_MS, 2.5)]


def test_json_is_answered_in_json_and_errors_are_a_status(client: FlaskClient) -> None:
    body = {
        "resourceMetrics": [
            {"scopeMetrics": [{"metrics": [{"name": "g", "gauge": {"dataPoints": [
                {"asInt": "7", "timeUnixNano": str(NOW_MS * 1_000_000)}]}}]}]}
        ]
    }  # fmt: skip
    answer = push(client, body, "/v1/metrics", Content_Type="application/json")
    assert (answer.status_code, answer.json) == (200, {})
    assert kept(client, "g") == [(NOW_MS, 7.0)]
    wrong = push(client, b"{", "/v1/metrics", Content_Type="application/json")
    assert (wrong.status_code, wrong.json["code"]) == (400, 3)  # type: ignore[index]
    for no_request in (b'"x"', b"[]", b"null", b'{"resourceMetrics": "\\ud800"}'):
        assert push(client, no_request, "/v1/metrics", Content_Type="application/json").status_code == 400
    wrong = push(client, b"\xff\xff", "/v1/metrics", Content_Type=PROTOBUF)
    assert (wrong.status_code, Status.FromString(wrong.data).code) == (400, 3)
    assert push(client, b"", "/v1/metrics", Content_Type="text/plain").status_code == 415


# ---- collectd ----


def test_collectds_value_lists_are_samples_null_is_a_gap(client: FlaskClient) -> None:
    one = {
        "values": [1.5, None], "dstypes": ["gauge", "derive"], "dsnames": ["value", "tx"], "time": NOW_MS / 1000,
        "interval": 10.0, "host": "web1", "plugin": "interface", "plugin_instance": "eth0", "type": "if_octets",
        "type_instance": "",
    }  # fmt: skip
    assert push(client, [one], "/collectd").status_code == 204
    assert kept(client, "interface.if_octets{host=web1,plugin_instance=eth0}") == [(NOW_MS, 1.5)]
    assert kept(client, "interface.if_octets.tx{host=web1,plugin_instance=eth0}") == [(NOW_MS, None)]
    parts: list[tuple[str, Any]] = [
        ("values", [1]), ("time", "x"), ("values", ["1", "2"]), ("plugin", None), ("plugin", ""), ("type", 5),
        ("host", 0), ("dsnames", "rt"), ("dsnames", ["rx", ""]), ("values", [1, True]), ("time", True), ("time", -1),
        ("time", 1e300), ("time", "1795000000"),
    ]  # fmt: skip
    wrongs: list[Any] = [{}, [1], *([{**one, part: value}] for part, value in parts)]
    for wrong in wrongs:
        assert push(client, wrong, "/collectd").status_code == 400


# ---- reading back ----


def test_a_series_is_followed_by_its_links_and_read_as_csv(client: FlaskClient) -> None:
    push(client, [{"name": "a b", "value": n, "time": NOW_MS + n} for n in range(25)])
    url, seen = "/api/series?name=a+b&limit=10", []
    for _ in range(4):
        answer = client.get(url)
        seen += answer.json["v"]  # type: ignore[index]
        url = "/api/series" + answer.headers["Link"].split(">")[0].removeprefix("<")
    assert seen == [float(n) for n in range(25)]
    push(client, {"name": "a b", "value": None, "time": NOW_MS + 99})
    assert client.get(url).json["v"] == [None]  # type: ignore[index]
    csv = client.get(f"/api/series?name=a+b&from={NOW_MS + 24}&format=csv")
    assert csv.mimetype == "text/csv"
    [head, one, gap] = csv.text.splitlines()
    assert (head, one.split(",")[1:], gap.split(",")[2]) == ("seq,time,value", [str(NOW_MS + 24), "24.0"], "")


@pytest.mark.parametrize("query", ["since=x", "since=-1", "limit=0", "limit=x", "from=soon", "to=2026-13-01"])
def test_a_bad_parameter_is_named(client: FlaskClient, query: str) -> None:
    push(client, {"name": "a", "value": 1})
    answer = client.get(f"/api/series?name=a&{query}")
    assert answer.status_code == 400
    assert answer.json["cure"]  # type: ignore[index]


def test_a_cursor_of_another_epoch_is_gone(client: FlaskClient) -> None:
    push(client, {"name": "a", "value": 1})
    assert client.get("/api/series?name=a&since=1&epoch=other").status_code == 410
    assert client.get("/api/series?name=a&since=999999999").status_code == 410


def test_a_reader_whom_another_host_has_told_more_waits_for_this_one(client: FlaskClient, owner: Owner) -> None:
    owner.hub.append([("a", 1, 1.0)])
    ahead = owner.hub.windows.newest + 4096
    answer = client.get(f"/api/series?name=a&since={ahead}&epoch={owner.hub.journal.epoch}")
    assert answer.status_code == 200
    assert answer.get_json()["seq"] == []
    assert f"since={ahead}" in answer.headers["Link"]
    assert client.get(f"/api/series?name=a&since={ahead}").status_code == 410  # of whatever epoch
