"""Pages over HTTPS: by Apache itself, and by a proxy in front that ends TLS and asks by HTTP."""

import re
import shutil
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from certificate import Certificate
from served import ROOT, TOKEN, Served, free_ports

NGINX = """
daemon off;
pid {folder}/pid;
error_log stderr;
events {{}}
http {{
    access_log off;
    server {{
        listen 127.0.0.1:{port} ssl;
        ssl_certificate {pem.certificate};
        ssl_certificate_key {pem.key};
        location / {{
            proxy_pass http://127.0.0.1:{target};
            {said}
        }}
    }}
}}
"""
APACHE = """
ServerRoot {folder}
ServerName localhost
DefaultRuntimeDir {folder}
PidFile {folder}/pid
ErrorLog /dev/stderr
LoadModule mpm_event_module /usr/lib/apache2/modules/mod_mpm_event.so
LoadModule authz_core_module /usr/lib/apache2/modules/mod_authz_core.so
LoadModule ssl_module /usr/lib/apache2/modules/mod_ssl.so
LoadModule proxy_module /usr/lib/apache2/modules/mod_proxy.so
LoadModule proxy_http_module /usr/lib/apache2/modules/mod_proxy_http.so
Listen 127.0.0.1:{port}
SSLEngine On
SSLSessionCache none
SSLCertificateFile {pem.certificate}
SSLCertificateKeyFile {pem.key}
ProxyPass / http://127.0.0.1:{target}/
{said}
"""


def readmes_line(word: str) -> str:
    """The line that README.md gives to a proxy, for what begins with *word*."""
    found = re.search(rf"`({word} [^`]*)`", (ROOT / "README.md").read_text())
    assert found
    return found[1]


@contextmanager
def proxied(
    command: list[str], conf: str, server: Served, pem: Certificate, said: str, folder: Path
) -> Iterator[Served]:
    """Start a proxy before *server*, by *command* and *conf*, that also does what *said* says."""
    port = free_ports()
    (folder / "conf").write_text(conf.format(folder=folder, port=port, pem=pem, target=server.port, said=said))
    with (
        (folder / "log").open("wb") as log,
        subprocess.Popen([*command, str(folder / "conf")], stdout=log, stderr=log) as proxy,
    ):
        try:
            front = Served(port, {"TIDEGAUGE_TLS_CERTIFICATE": str(pem.certificate)})
            front.wait_ready()
            yield front
        finally:
            proxy.terminate()


@pytest.fixture(params=["nginx", "Apache"])
def proxy(
    request: pytest.FixtureRequest,
    server: Served,
    pem: Certificate,
    require: Callable[[bool, str], None],
    tmp_path: Path,
) -> Iterator[Served]:
    if request.param == "nginx":
        require(shutil.which("nginx") is not None, "needs nginx: apt-get install nginx-light")
        chosen = ["nginx", "-c"], NGINX, server, pem, readmes_line("proxy_set_header"), tmp_path
    else:
        chosen = ["/usr/sbin/apache2", "-DFOREGROUND", "-f"], APACHE, server, pem, "", tmp_path
    with proxied(*chosen) as front:
        yield front


def test_a_page_polls_over_https(open_tab: Callable[..., Any], secure: Served) -> None:
    tab = open_tab("dashboard/server/", at=secure, ignore_https_errors=True)
    assert_it_polls(tab)
    assert {url.split(":")[0] for url in tab.urls} <= {"https", "blob", "data"}


def test_a_page_polls_through_a_proxy_that_ends_tls(open_tab: Callable[..., Any], proxy: Served) -> None:
    tab = open_tab("dashboard/server/", at=proxy, ignore_https_errors=True)
    assert_it_polls(tab)
    assert {url.split("/")[2] for url in tab.urls if url.startswith("http")} == {f"127.0.0.1:{proxy.port}"}


def assert_it_polls(tab: Any) -> None:
    tab.until(lambda: tab.state() == "live")
    begun = len([url for url in tab.urls if url.endswith("/tail.json")])
    tab.until(lambda: len([url for url in tab.urls if url.endswith("/tail.json")]) >= begun + 2)
    assert tab.state() == "live"
    assert tab.complaints == []


def test_who_comes_through_a_proxy_of_this_host_is_not_of_this_host(proxy: Served) -> None:
    assert proxy.ask("/metrics").status == 401
    assert proxy.ask("/metrics", Authorization=f"Bearer {TOKEN}").status == 200


def test_a_proxy_adds_hsts_itself(proxy: Served) -> None:
    assert "Strict-Transport-Security" not in proxy.ask("/").headers


@pytest.mark.parametrize(("method", "path"), [("GET", "/dashboard"), ("GET", "/dashboard/exponential/")])
def test_a_redirect_stays_at_the_proxy(proxy: Served, method: str, path: str) -> None:
    answer = proxy.ask(path, method)
    assert (answer.status, answer.headers["Location"][0]) == (308, "/")
    assert "http:" not in answer.headers["Location"]
