"""Pushes through a real Apache: the gate, real senders, and kill -9 under load."""

import gzip
import hashlib
import json
import os
import random
import re
import shutil
import signal
import socket
import subprocess
import time
from base64 import b64encode
from collections.abc import Callable, Iterator
from http.client import HTTPConnection, HTTPException
from itertools import count
from pathlib import Path
from tempfile import TemporaryDirectory
from threading import Event, Thread
from typing import Any
from urllib.parse import quote

import pytest
import served
from influxdb_client.client.influxdb_client import InfluxDBClient
from influxdb_client.client.write.point import Point
from influxdb_client.client.write_api import SYNCHRONOUS
from opentelemetry.exporter.otlp.json.common.metrics_encoder import encode_metrics
from opentelemetry.exporter.otlp.proto.http.metric_exporter import OTLPMetricExporter
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import (
    MetricExporter,
    MetricExportResult,
    MetricsData,
    PeriodicExportingMetricReader,
)
from opentelemetry.sdk.resources import Resource
from own_apache import own_apache
from served import TOKEN, Answer, Served

AUTH = {"Authorization": f"Bearer {TOKEN}"}
ONE = b'{"name": "one", "value": 1}'


def read(server: Served, name: str) -> list[list[Any]]:
    """Every kept (seq, value) of a series, page by page."""
    rows: list[list[Any]] = []
    while True:
        since = rows[-1][0] if rows else 0
        page = server.ask(f"/api/series?name={quote(name)}&since={since}").json
        if not page.get("seq"):
            return rows
        rows += [list(row) for row in zip(page["seq"], page["v"], strict=True)]


@pytest.mark.parametrize(
    "scheme", [f"Bearer {TOKEN}", f"Token {TOKEN}", "Basic " + b64encode(f"x:{TOKEN}".encode()).decode()]
)
def test_a_push_with_a_token_is_let_in(server: Served, scheme: str) -> None:
    assert server.ask("/api/series", "POST", ONE, Authorization=scheme).status == 200
    squeezed = server.ask("/api/series", "POST", gzip.compress(ONE), Authorization=scheme, Content_Encoding="gzip")
    assert squeezed.status == 200


@pytest.mark.parametrize(
    "scheme", [f"Bearer {TOKEN}x", "Bearer *", "Bearer", f"Digest {TOKEN}", "Basic eA==", f"Basic {TOKEN}"]
)
@pytest.mark.parametrize("url", ["/api/series", "/write", "/api/v2/write", "/v1/metrics", "/collectd", "/query"])
def test_a_push_without_one_is_refused_by_apache(server: Served, url: str, scheme: str) -> None:
    before = int(server.ask("/data/", "POST").json["x"][0])
    os.kill(server.daemon_pid, signal.SIGSTOP)
    try:
        answer, unasked = server.ask(url, "POST", ONE, Authorization=scheme), server.ask(url, "POST", ONE)
    finally:
        os.kill(server.daemon_pid, signal.SIGCONT)
    assert (answer.status, unasked.status) == (403, 401)
    assert unasked.headers["WWW-Authenticate"] == 'Basic realm="Tidegauge push"'
    for one in (answer, unasked):
        assert "TIDEGAUGE_PUSH_TOKEN" in one.json["cure"]
    assert server.ask("/data/", "POST").json["x"][0] == before + 1


def test_slow_senders_without_a_token_take_no_thread(server: Served) -> None:
    request = b"POST /api/series HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1000\r\n\r\n{"
    senders = [socket.create_connection(("127.0.0.1", server.port)) for _ in range(64)]
    for sender in senders:
        sender.sendall(request)
    assert server.ask("/dashboard/server/").status == 200
    for sender in senders:
        sender.close()


def test_a_chunked_body_is_taken_up_to_the_limit(server: Served) -> None:
    head = f"POST /api/series HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nAuthorization: Bearer {TOKEN}\r\n"
    chunked = head.encode() + b"Transfer-Encoding: chunked\r\n\r\n"
    body = b'{"name": "chunked", "value": 1}'
    answer = server.raw(chunked + b"%x\r\n%s\r\n0\r\n\r\n" % (len(body), body))
    assert answer.startswith(b"HTTP/1.1 200 ")
    many = b"100000\r\n" + b" " * 2**20 + b"\r\n"
    assert server.raw(chunked + many * 17 + b"0\r\n\r\n").startswith(b"HTTP/1.1 413 ")
    assert server.ask("/api/series", "POST", b" " * (17 * 2**20), **AUTH).status == 413


def test_a_pushed_sample_is_in_the_list_and_can_be_followed_by_curls_means(server: Served) -> None:
    assert server.ask("/api/series", "POST", b'{"name": "room.temperature", "value": 21.5}', **AUTH).status == 200
    assert [value for _, value in read(server, "room.temperature")][-1] == 21.5


def test_a_series_is_deleted_with_a_token_alone(server: Served) -> None:
    server.ask("/api/series", "POST", b'{"name": "of no use", "value": 1}', **AUTH)
    url = "/api/series?name=of%20no%20use"
    assert [server.ask(url, "DELETE").status, server.ask(url, "DELETE", Authorization="Bearer x").status] == [401, 403]
    assert len(read(server, "of no use")) == 1
    assert server.ask(url, "DELETE", None, **AUTH).json == {"deleted": 1}
    assert server.ask(url).status == 404


def test_a_bodys_limit_and_a_get_with_a_body_stay_as_they_were(server: Served) -> None:
    assert server.ask("/api/series", "GET", ONE, **AUTH).status == 413
    assert server.ask("/data/", "POST", ONE, **AUTH).status == 413


# ---- real senders ----


def test_influxdbs_own_client(server: Served) -> None:
    with InfluxDBClient(server.url.rstrip("/"), token=TOKEN, org="any", enable_gzip=True) as client:
        assert client.ping()
        api = client.write_api(write_options=SYNCHRONOUS)
        for n in range(3):
            point = Point("weather").tag("place", "sea side").field("wind", float(n))  # type: ignore[no-untyped-call]
            api.write("any", record=point)
    assert [value for _, value in read(server, "weather.wind{place=sea side}")] == [0.0, 1.0, 2.0]


class JsonExporter(MetricExporter):
    """The SDK's own JSON. Its sender is left out: it wants an older SDK than the one that is pinned."""

    def __init__(self, server: Served) -> None:
        super().__init__()
        self.server = server

    def export(self, metrics_data: MetricsData, timeout_millis: float = 0, **kwargs: object) -> MetricExportResult:  # noqa: ARG002
        body = encode_metrics(metrics_data).to_json().encode()
        answer = self.server.ask("/v1/metrics", "POST", body, Content_Type="application/json", **AUTH)
        return MetricExportResult.SUCCESS if answer.status == 200 else MetricExportResult.FAILURE

    def force_flush(self, timeout_millis: float = 0) -> bool:  # noqa: ARG002
        return True

    def shutdown(self, timeout_millis: float = 0, **kwargs: object) -> None: ...


@pytest.mark.parametrize(
    ("shop", "exporter"),
    [
        ("protobuf", lambda server: OTLPMetricExporter(f"{server.url}v1/metrics", headers=AUTH)),
        ("json", JsonExporter),
    ],
)
def test_the_opentelemetry_sdks_exporters(
    server: Served, shop: str, exporter: Callable[[Served], MetricExporter]
) -> None:
    reader = PeriodicExportingMetricReader(exporter(server), export_interval_millis=60_000)
    provider = MeterProvider([reader], resource=Resource.create({"service.name": shop}))
    counter = provider.get_meter("test").create_counter("orders")
    histogram = provider.get_meter("test").create_histogram("basket")
    for amount in (2, 3):
        counter.add(amount, {"kind": "a"})
        histogram.record(amount)
        assert provider.force_flush()
    provider.shutdown()
    names = [one["name"] for one in server.ask("/api/series").json["series"]]
    for start, values in (("orders{kind=a,", [2, 5]), ("basket.count{", [1, 2]), ("basket.sum{", [2, 5])):
        [name] = [name for name in names if name.startswith(start) and f"service.name={shop}" in name]
        assert [value for _, value in read(server, name)][:2] == values


# ---- nothing acknowledged is lost ----


def push(server: Served, name: str, value: int) -> Answer | None:
    connection = HTTPConnection("127.0.0.1", server.port, timeout=10)
    try:
        body = json.dumps({"name": name, "value": value, "time": 1_795_000_000_000 + value})
        connection.request("POST", "/api/series", body, AUTH)
        answer = connection.getresponse()
        return Answer(answer.status, dict(answer.headers), answer.read())
    except (OSError, HTTPException):
        return None
    finally:
        connection.close()


@pytest.mark.timeout(300)  # 20 restarts, each of 2 s on a quiet machine and over 5 s beside a busy neighbour
def test_what_was_acknowledged_is_there_once_whenever_the_process_is_killed(
    server: Served, eventually: Callable[..., None]
) -> None:
    """20 rounds of kill -9 under eight pushers, who send again what was not acknowledged."""
    rounds, numbers, done = 20, count(), Event()
    acknowledged: set[int] = set()
    epoch = server.ask("/health").json["epoch"]

    def run() -> None:
        while not done.is_set():
            n = next(numbers)
            while True:
                answer = push(server, "killed", n)
                if answer and answer.status == 200:
                    acknowledged.add(n)
                    break
                time.sleep(0.02)
            time.sleep(0.005)

    threads = [Thread(target=run) for _ in range(8)]
    for thread in threads:
        thread.start()
    chance = random.Random(1)
    try:
        for _ in range(rounds):
            time.sleep(chance.uniform(0.05, 0.4))
            pid = server.daemon_pid
            os.kill(pid, signal.SIGKILL)
            eventually(lambda pid=pid: server.daemon_pid not in {pid, 0} and server.is_ready(), within_s=20)
    finally:
        done.set()
        for thread in threads:
            thread.join()
    kept = [value for _, value in read(server, "killed") if value is not None]
    assert len(kept) == len(set(kept))
    assert {float(n) for n in acknowledged} - set(kept) == set()
    assert server.ask("/health").json["epoch"] == epoch
    assert len(acknowledged) > 10 * rounds


@pytest.fixture
def agent(
    request: pytest.FixtureRequest, tmp_path: Path, require: Callable[[bool, str], None]
) -> Iterator[Callable[..., None]]:
    """Run a real agent, the program that is named by the parameter, with arguments, until the test ends."""
    program: str = request.param
    require(shutil.which(program) is not None, f"needs {program}: apt-get install it")
    running: list[subprocess.Popen[bytes]] = []

    def start(*arguments: str) -> None:
        with (tmp_path / "agent.log").open("wb") as log:
            running.append(subprocess.Popen([program, *arguments], stdout=log, stderr=log, cwd=tmp_path))

    yield start
    for one in running:
        one.terminate()
        one.wait(20)


@pytest.mark.parametrize("agent", ["collectd"], indirect=True)
def test_collectd(server: Served, agent: Callable[..., None], eventually: Callable[..., None], tmp_path: Path) -> None:
    conf = tmp_path / "collectd.conf"
    conf.write_text(f"""
Hostname "web1"
Interval 1
BaseDir "{tmp_path}"
PIDFile "{tmp_path}/pid"
TypesDB "/usr/share/collectd/types.db"
LoadPlugin load
LoadPlugin write_http
<Plugin write_http>
  <Node "tidegauge">
    URL "{server.url}collectd"
    User "x"
    Password "{TOKEN}"
    Format "JSON"
    BufferSize 1024
  </Node>
</Plugin>
""")
    agent("-f", "-C", str(conf))
    eventually(lambda: len(read(server, "load.load.shortterm{host=web1}")) >= 2, within_s=20)


ICINGA = """
const NodeName = "web1"
include <itl>
object CheckerComponent "checker" {{}}
object Influxdb2Writer "tidegauge" {{
  host = "127.0.0.1", port = {port}, organization = "x", bucket = "x", auth_token = "{token}"
  flush_interval = 1s, flush_threshold = 1
  host_template = {{ measurement = "$host.check_command$", tags = {{ hostname = "$host.name$" }} }}
}}
object Host "web1" {{ check_command = "random", check_interval = 1s, retry_interval = 1s }}
"""


@pytest.mark.parametrize("agent", ["icinga2"], indirect=True)
def test_icinga2(server: Served, agent: Callable[..., None], eventually: Callable[..., None]) -> None:
    """It gives up being root, so it needs a folder that its own user may write."""
    with TemporaryDirectory() as folder:
        conf = Path(folder, "icinga2.conf")
        conf.write_text(ICINGA.format(port=server.port, token=TOKEN))
        if os.geteuid() == 0:
            subprocess.run(["chown", "-R", "nagios:", folder], check=True)
        kinds = ("Data", "Log", "Cache", "Spool", "InitRun", "Config")
        folders = [part for kind in kinds for part in ("-D", f"Configuration.{kind}Dir={folder}")]
        agent("daemon", "-c", str(conf), *folders)
        eventually(lambda: read(server, "random.value{hostname=web1,metric=value}"), within_s=30)


@pytest.mark.parametrize("agent", ["prometheus"], indirect=True)
def test_prometheus_scrapes_the_metrics(
    server: Served, agent: Callable[..., None], eventually: Callable[..., None], tmp_path: Path
) -> None:
    port = served.free_ports()
    conf = tmp_path / "prometheus.yml"
    conf.write_text(f"""
scrape_configs:
  - job_name: tidegauge
    scrape_interval: 1s
    static_configs: [{{targets: ["127.0.0.1:{server.port}"]}}]
""")
    listen = f"--web.listen-address=127.0.0.1:{port}"
    agent(f"--config.file={conf}", f"--storage.tsdb.path={tmp_path}/data", listen)
    prometheus = Served(port, {})

    def samples() -> float:
        try:
            answer = prometheus.ask("/api/v1/query?query=tidegauge_samples_total")
        except OSError:
            return 0
        found = answer.json["data"]["result"] if answer.status == 200 else []  # 503 while it starts
        return float(found[0]["value"][1]) if found else 0

    eventually(lambda: samples() > 0, within_s=20)


def test_metrics_are_for_loopback_and_for_who_brings_a_token(server: Served) -> None:
    assert b"tidegauge_journal_bytes" in server.ask("/metrics").body
    assert server.ask("/metrics", X_Forwarded_For="192.0.2.7").status == 401
    assert server.ask("/metrics", X_Forwarded_For="192.0.2.7", Authorization=f"Bearer {TOKEN}").status == 200


def test_the_readmes_sign_in_covers_all_but_pushes_probes_and_scripts(server: Served) -> None:
    readme = (served.ROOT / "README.md").read_text()
    example = re.search(r"((?:    [^\n]*\n)*    </LocationMatch>\n)", readme)
    assert example
    password = "{SHA}" + b64encode(hashlib.sha1(b"open").digest()).decode()  # noqa: S324
    change = ("# What takes a body.", example[1].replace("/etc/apache2/viewers", "${TIDEGAUGE_RUN}/viewers"))
    modules = ("authn_core", "authn_file", "auth_basic", "authz_user")
    with own_apache(
        server, change=change, modules=modules, files={"viewers": f"anna:{password}\n"}, token=TOKEN
    ) as host:
        host.wait_ready("/live/health/ready")
        closed = ("feeds/server/tail.json", "feeds/server/document.dark.json", "api/series", "dashboard/server/")
        for url in ("/live/", *(f"/live/{one}" for one in closed)):
            assert host.ask(url).status == 401
            assert host.ask(url, Authorization="Basic " + b64encode(b"anna:open").decode()).status == 200
        assert host.ask("/live/health/live").status == 200
        assert host.ask("/live/static/nothing").status == 404
        assert host.ask("/live/api/series", "POST", ONE, **AUTH).status == 200
        assert host.ask("/live/api/series", "POST", ONE).status == 401
