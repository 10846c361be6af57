import os
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import served
from flask import Flask
from flask.testing import FlaskClient

from app import create_app
from tidegauge.server import owner as owner_module
from tidegauge.server import readiness
from tidegauge.server.current import KEY
from tidegauge.server.owner import Owner
from tidegauge.settings import Settings


def test_a_well_process_is_live_and_ready(client: FlaskClient) -> None:
    assert client.get("/health/live").json == {"status": "pass"}
    assert client.get("/health/ready").json == {"status": "pass", "reasons": []}


def test_health_has_the_epoch_and_counts(client: FlaskClient, owner: Owner) -> None:
    answer = client.get("/health").json
    assert answer is not None
    assert (answer["status"], answer["epoch"]) == ("pass", owner.hub.journal.epoch)
    assert answer["dashboards"] == 2
    assert answer["series"] == len(owner.hub.windows)


def test_versions_are_told_to_loopback_only(client: FlaskClient) -> None:
    def versions(address: str, **headers: str) -> bool:
        answer = client.get("/health", environ_overrides={"REMOTE_ADDR": address}, headers=headers)
        return "versions" in (answer.json or {})

    assert versions("127.0.0.1")
    assert not versions("192.0.2.1")
    assert not versions("127.0.0.1", **{"X-Forwarded-For": "192.0.2.1"})


def test_a_lock_that_cannot_be_obtained_makes_it_unready_and_not_dead(
    client: FlaskClient, owner: Owner, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(readiness, "LOCK_S", 0.05)
    with owner.hub.windows.lock_within(1):
        answer = client.get("/health/ready")
        assert client.get("/health/live").status_code == 200
    assert answer.status_code == 503
    assert answer.json == {"status": "fail", "reasons": ["the hub's lock was not obtained in 0.05 s"]}


def test_a_silent_publisher_and_silent_samplers_make_it_unready(
    client: FlaskClient, owner: Owner, monkeypatch: pytest.MonkeyPatch, eventually: Callable[..., None]
) -> None:
    owner.stop()
    monkeypatch.setattr(readiness, "SILENT_S", 0.1)
    eventually(lambda: len(client.get("/health/ready").json["reasons"]) == 2)  # type: ignore[index]
    reasons = client.get("/health/ready").json["reasons"]  # type: ignore[index]
    assert reasons[0].startswith("the publisher has been silent for")
    assert reasons[1].startswith("all samplers have been silent for")


def test_several_processes_are_refused_with_their_reason(client: FlaskClient) -> None:
    for url in ("/", "/health/ready", "/dashboard/server/", "/health"):
        answer = client.get(url, environ_overrides={"wsgi.multiprocess": True})
        assert answer.status_code == 503
        assert "without processes=" in answer.text
        assert answer.headers["Retry-After"]
    assert client.get("/health/live", environ_overrides={"wsgi.multiprocess": True}).status_code == 200


def test_a_forked_worker_is_refused_with_its_reason(client: FlaskClient, owner: Owner) -> None:
    owner.pid = os.getppid()
    answer = client.get("/")
    assert answer.status_code == 503
    assert f"forked from the process {os.getppid()}" in answer.text


def test_an_application_that_nobody_started_says_how_to(tmp_path: Path) -> None:
    answer = create_app(Settings(run=str(tmp_path), journal="memory")).test_client().get("/")
    assert answer.status_code == 503
    assert "has not been started" in answer.text


@pytest.fixture
def building(tmp_path: Path) -> Iterator[tuple[Flask, Path]]:
    """An owner of which one dashboard is being built, until there is a file of that path."""
    go_on = tmp_path / "go on"
    wait = f"import time, pathlib\nwhile not pathlib.Path({str(go_on)!r}).exists(): time.sleep(0.01)\n"
    (tmp_path / "slow.py").write_text(wait)
    settings = Settings(run=str(tmp_path / "run"), dashboards=str(tmp_path), journal="memory", push_token=served.TOKENS)
    app = create_app(settings)
    owner: Owner = app.extensions[KEY]
    owner.start()
    yield app, go_on
    go_on.touch()
    owner.stop()


def test_pushes_are_taken_while_dashboards_are_being_built_and_pages_wait(building: tuple[Flask, Path]) -> None:
    app, go_on = building
    client, auth = app.test_client(), {"Authorization": f"Bearer {served.TOKEN}"}
    assert client.post("/api/series", json={"name": "a", "value": 1}, headers=auth).status_code == 200
    answer = client.get("/health/ready")
    assert (answer.status_code, answer.get_json()["reasons"]) == (503, ["the dashboards are being built"])
    with ThreadPoolExecutor(1) as pool:
        page = pool.submit(app.test_client().get, "/dashboard/server/")
        with pytest.raises(TimeoutError):
            page.result(0.2)
        go_on.touch()
        assert page.result().status_code == 200
    assert client.get("/health/ready").status_code == 200


def test_dashboards_that_take_too_long_are_said(building: tuple[Flask, Path], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(owner_module, "BUILD_S", 0.05)
    answer = building[0].test_client().get("/")
    assert answer.status_code == 503
    assert answer.headers["Retry-After"]
    assert "The dashboards have not been built within 0.05 s" in answer.text


def test_a_second_process_on_the_run_folder_is_refused_with_the_holders_pid_and_takes_over_when_it_ends(
    app: Flask, settings: Settings, eventually: Callable[..., None]
) -> None:
    second = create_app(settings)
    owner: Owner = second.extensions[KEY]
    owner.start()
    answer = second.test_client().get("/health/ready")
    assert answer.status_code == 503
    assert f"the process {os.getpid()} already serves from this run folder" in answer.text
    app.extensions[KEY].stop()
    eventually(lambda: second.test_client().get("/health/ready").status_code == 200)
    owner.stop()
