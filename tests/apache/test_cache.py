"""A stock Apache with cluster/cache.conf in front of the feeds: a copy of them, for any number of viewers."""

import json
import os
import shutil
import signal
import subprocess
import time
from base64 import b64encode
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from tempfile import mkdtemp

import pytest
from served import ROOT, Served, free_ports

MODULES = (
    *("mpm_event", "authz_core", "auth_basic", "authn_core", "authn_file", "authz_user", "headers"),
    *("proxy", "proxy_http", "cache", "cache_disk"),
)
CONF = """
ServerRoot {folder}
ServerName localhost
DefaultRuntimeDir {folder}
PidFile {folder}/apache.pid
ErrorLog {folder}/error.log
Listen 127.0.0.1:{port}
{modules}
Define ORIGIN {origin}
{cache}
<Location /feeds/server/>
    AuthType Basic
    AuthName viewers
    AuthUserFile {folder}/viewers
    Require valid-user
</Location>
"""
SIGNED_IN = "Basic " + b64encode(b"me:secret").decode()
# "secret", by `htpasswd -nbs`
VIEWERS = "me:{SHA}5en6G6MezRroT3XKqkdPOmY/BfQ=\n"
SECONDS = 12


@pytest.fixture(scope="module")
def cache(server: Served) -> Iterator[Served]:
    folder = Path(mkdtemp(dir="/dev/shm"))
    port = free_ports()
    text = (ROOT / "cluster/cache.conf").read_text().replace("/var/cache/apache2/mod_cache_disk", f"{folder}/cache")
    modules = "\n".join(f"LoadModule {name}_module /usr/lib/apache2/modules/mod_{name}.so" for name in MODULES)
    origin = server.url.rstrip("/")
    conf = CONF.format(folder=folder, port=port, modules=modules, origin=origin, cache=text)
    (folder / "httpd.conf").write_text(conf)
    (folder / "viewers").write_text(VIEWERS)
    (folder / "cache").mkdir()
    user = []
    if os.geteuid() == 0:
        user = ["setpriv", "--reuid=tidegauge", "--regid=tidegauge", "--init-groups"]
        subprocess.run(["chown", "-R", "tidegauge:", folder], check=True)
    command = [*user, "/usr/sbin/apache2", "-f", str(folder / "httpd.conf"), "-DFOREGROUND"]
    with subprocess.Popen(command) as apache:
        try:
            one = Served(port, server.environ | {"TIDEGAUGE_TLS_CERTIFICATE": ""})
            one.wait_ready("/health/live")
            yield one
        finally:
            apache.send_signal(signal.SIGTERM)
    shutil.rmtree(folder)


def test_many_viewers_cost_the_host_one_request_a_second_and_see_what_it_has(cache: Served, server: Served) -> None:
    def asked() -> int:
        return server.log.count("/feeds/front.json")

    def view(_: int) -> list[tuple[float, int, bytes]]:
        answers, deadline = [], time.monotonic() + SECONDS
        while time.monotonic() < deadline:
            answer = cache.ask("/feeds/front.json")
            answers.append((time.time() * 1000, answer.status, answer.body))
            time.sleep(0.05)
        return answers

    before = asked()
    with ThreadPoolExecutor(8) as viewers:
        answers = [answer for found in viewers.map(view, range(8)) for answer in found]
    assert {status for _, status, _ in answers} == {200}
    ages = [at - json.loads(body)["time"] for at, _, body in answers]
    assert max(ages) < 5_000 + 3_000  # a heartbeat, and what a cache may add
    assert len({body for _, _, body in answers}) >= 2
    assert len(answers) > 10 * SECONDS
    assert asked() - before <= 2 * SECONDS


def test_what_is_cached_is_not_sent_before_signing_in(cache: Served, eventually: Callable[..., None]) -> None:
    eventually(lambda: cache.ask("/feeds/server/tail.json", Authorization=SIGNED_IN).status == 200)
    assert cache.ask("/feeds/server/tail.json").status == 401
    tag = cache.ask("/feeds/server/tail.json", Authorization=SIGNED_IN).headers["ETag"]
    assert cache.ask("/feeds/server/tail.json", If_None_Match=tag).status == 401
