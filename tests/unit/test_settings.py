import sys
from collections.abc import Callable
from pathlib import Path
from shutil import which

import certificate
import pytest

from tidegauge.errors import SettingsRefused
from tidegauge.settings import Settings, as_lines, check_extras, check_tls, load_settings


def test_defaults_hold_without_an_environment() -> None:
    assert load_settings({}) == Settings()


def test_the_environment_comes_before_the_settings_file(tmp_path: Path) -> None:
    file = tmp_path / "settings"
    file.write_text("TIDEGAUGE_WINDOW=50\nTIDEGAUGE_POLL_MS=500\n")
    settings = load_settings({"TIDEGAUGE_SETTINGS": str(file), "TIDEGAUGE_WINDOW": "60"})
    assert (settings.window, settings.poll_ms) == (60, 500)


def test_a_setting_may_come_from_a_secret_file(tmp_path: Path) -> None:
    secret = tmp_path / "hosts"
    secret.write_text("live.example.org\n")
    assert load_settings({"TIDEGAUGE_HOSTS_FILE": str(secret)}).accepted_hosts == {"live.example.org"}


def test_a_secret_file_comes_before_the_settings_file_and_after_a_variable(tmp_path: Path) -> None:
    settings, secret = tmp_path / "settings", tmp_path / "secret"
    settings.write_text("TIDEGAUGE_HOSTS=file.example.org\n")
    secret.write_text("secret.example.org\n")
    environ = {"TIDEGAUGE_SETTINGS": str(settings), "TIDEGAUGE_HOSTS_FILE": str(secret), "TIDEGAUGE_HOSTS": ""}
    assert load_settings(environ).hosts == "secret.example.org"
    assert load_settings(environ | {"TIDEGAUGE_HOSTS": "variable.example.org"}).hosts == "variable.example.org"


def test_origins_that_may_embed_are_a_list_in_lower_case() -> None:
    given = "https://Wiki.example.org, http://127.0.0.1:8000,,http://intranet"
    expected = ("https://wiki.example.org", "http://127.0.0.1:8000", "http://intranet")
    assert load_settings({"TIDEGAUGE_EMBED_ORIGINS": given}).embedders == expected
    assert Settings().embedders == ()


def test_an_empty_variable_is_an_unset_one() -> None:
    assert load_settings({"TIDEGAUGE_WINDOW": ""}).window == 1000


@pytest.mark.parametrize(
    ("name", "value", "would_do"),
    [
        ("TIDEGAUGE_WINDOW", "many", "valid integer"),
        ("TIDEGAUGE_WINDOW", "9", "greater than or equal to 10"),
        ("TIDEGAUGE_MAX_SERIES", "0", "greater than or equal to 1"),
        ("TIDEGAUGE_PUBLISH_MS", "1.5", "valid integer"),
        ("TIDEGAUGE_POLL_MS", "99999", "less than or equal to 10000"),
        ("TIDEGAUGE_HOSTS", "https://live.example.org/", "host names separated by commas"),
        ("TIDEGAUGE_EMBED_ORIGINS", "wiki.example.org", "such as https://wiki.example.org"),
        ("TIDEGAUGE_EMBED_ORIGINS", "https://wiki.example.org/", "without a path"),
        ("TIDEGAUGE_EMBED_ORIGINS", "https://a.example,*", "a wildcard"),
        ("TIDEGAUGE_EMBED_ORIGINS", "https://*.example.org", "a wildcard"),
        ("TIDEGAUGE_EMBED_ORIGINS", "https://a.example; script-src *", "expected origins"),
        ("TIDEGAUGE_EMBED_ORIGINS", "https://a.example 'self'", "separated by commas"),
        ("TIDEGAUGE_EMBED_ORIGINS", "https://a@b.example", "expected origins"),
        ("TIDEGAUGE_EMBED_ORIGINS", "https://a.example:port", "expected origins"),
        ("TIDEGAUGE_EMBED_ORIGINS", "https://[::1]", "expected origins"),
        ("TIDEGAUGE_EMBED_ORIGINS", "data:text/html,x", "expected origins"),
        ("TIDEGAUGE_SHOW_ERRORS", "yes", "'loopback', 'everyone' or 'nobody'"),
        ("TIDEGAUGE_DASHBOARDS", "/not/there", "a folder that exists"),
        ("TIDEGAUGE_TLS_CERTIFICATE", "fullchain.pem", "the absolute path of a PEM file"),
        ("TIDEGAUGE_TLS_KEY", "/etc/key.pem", "expected TIDEGAUGE_TLS_CERTIFICATE beside it"),
        ("TIDEGAUGE_WINDWO", "5", "the settings are TIDEGAUGE_WINDOW, "),
        ("TIDEGAUGE_SETTINGS", "/not/there", "a readable text file"),
        ("TIDEGAUGE_HOSTS_FILE", "/not/there", "a readable text file"),
    ],
)
def test_a_bad_setting_is_refused_with_its_name_its_value_and_what_would_do(
    name: str, value: str, would_do: str
) -> None:
    with pytest.raises(SettingsRefused) as raised:
        load_settings({name: value})
    (refused,) = raised.value.refused
    assert (refused.name, refused.value) == (name, value)
    assert would_do in refused.would_do


def test_all_refused_settings_are_named_at_once() -> None:
    with pytest.raises(SettingsRefused) as raised:
        load_settings({"TIDEGAUGE_WINDOW": "x", "TIDEGAUGE_POLL_MS": "y"})
    assert {refused.name for refused in raised.value.refused} == {"TIDEGAUGE_WINDOW", "TIDEGAUGE_POLL_MS"}


def test_a_certificate_needs_its_key() -> None:
    with pytest.raises(SettingsRefused, match=r"TIDEGAUGE_TLS_KEY is '': .*set both, or neither"):
        load_settings({"TIDEGAUGE_TLS_CERTIFICATE": "/etc/certificate.pem"})


def test_a_key_that_is_given_where_its_path_belongs_is_not_shown(tmp_path: Path) -> None:
    (tmp_path / "key").write_text("-----BEGIN PRIVATE KEY-----\nsecret\n")
    with pytest.raises(SettingsRefused) as raised:
        load_settings({"TIDEGAUGE_TLS_KEY_FILE": str(tmp_path / "key")})
    assert "secret" not in str(raised.value)


def test_a_certificate_and_a_key_that_do_not_belong_together_are_refused(
    tmp_path: Path, require: Callable[[bool, str], None]
) -> None:
    require(which("openssl") is not None, "needs openssl: apt-get install openssl")
    pems = []
    for name in ("ours", "theirs"):
        (tmp_path / name).mkdir()
        pems.append(certificate.make(tmp_path / name))
    ours, theirs = pems
    check_tls(load_settings(ours.settings))
    for file, key, name in (
        (ours.certificate, theirs.key, "KEY"),
        (ours.certificate, ours.certificate, "KEY"),
        (ours.certificate, tmp_path / "nothing", "KEY"),
        (ours.key, ours.key, "CERTIFICATE"),
        (tmp_path / "nothing", ours.key, "CERTIFICATE"),
    ):
        pair = {"TIDEGAUGE_TLS_CERTIFICATE": str(file), "TIDEGAUGE_TLS_KEY": str(key)}
        with pytest.raises(SettingsRefused, match=f"TIDEGAUGE_TLS_{name} is .*: expected .* PEM file"):
            check_tls(load_settings(pair))


def test_a_setting_that_needs_an_extra_is_refused_without_it(monkeypatch: pytest.MonkeyPatch) -> None:
    settings = load_settings({"TIDEGAUGE_JOURNAL": "nats://a:4222"})
    check_extras(settings)
    monkeypatch.setitem(sys.modules, "nats", None)
    with pytest.raises(
        SettingsRefused, match=r"TIDEGAUGE_JOURNAL is 'nats://a:4222': .*pip install 'tidegauge\[nats\]'"
    ):
        check_extras(settings)


def test_every_setting_has_a_meaning() -> None:
    assert all(field.description for field in Settings.model_fields.values())
    assert as_lines(Settings()).count("TIDEGAUGE_") == len(Settings.model_fields)
