"""The `flask --app wsgi` commands, on the journal of an open owner."""

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from threading import Thread

import pytest
from flask import Flask
from flask.testing import FlaskCliRunner
from served import ROOT, TOKEN
from werkzeug.serving import make_server

from tidegauge.server.owner import Owner

START = 1_795_000_000_000


@pytest.fixture
def runner(app: Flask) -> FlaskCliRunner:
    return app.test_cli_runner()


@pytest.fixture
def url(app: Flask) -> Iterator[str]:
    """The application on a free port."""
    server = make_server("127.0.0.1", 0, app, threaded=True)
    thread = Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    thread.join()
    server.server_close()


def test_series_are_listed_shown_and_exported_while_the_server_runs(runner: FlaskCliRunner, owner: Owner) -> None:
    owner.hub.append([("a", START, 1.5), ("a", START + 1000, None)])
    assert "2026-11-18T11:06:41.000Z                     gap  a" in runner.invoke(args=["series", "list"]).output
    shown = runner.invoke(args=["series", "show", "a", "--last", "2"]).output.splitlines()
    assert [line.split()[1:] for line in shown] == [
        ["2026-11-18T11:06:40.000Z", "1.5"],
        ["2026-11-18T11:06:41.000Z", "gap"],
    ]
    assert (
        runner.invoke(args=["series", "export", "a"]).output == f"name,time,value\na,{START},1.5\na,{START + 1000},\n"
    )
    missing = runner.invoke(args=["series", "show", "nothing"])
    assert (missing.exit_code, "no series 'nothing'" in missing.output) == (1, True)


def test_an_import_names_the_lines_it_refuses_and_keeps_the_others_once(
    runner: FlaskCliRunner, owner: Owner, url: str, tmp_path: Path
) -> None:
    file = tmp_path / "rooms.csv"
    rows = [f"room,{START + n},{n}" for n in range(6)]
    rows[1], rows[4] = "room,soon,1", f"room,{START},warm"
    file.write_text("\n".join(["name,time,value", *rows, f'"a, b",{START},']) + "\n")
    for _ in range(2):
        done = runner.invoke(args=["series", "import", str(file), "--url", url])
        assert done.exit_code == 1
        assert "line 3: the time 'soon' is none" in done.output
        assert "line 6: 'room' has the value 'warm'" in done.output
        assert "5 samples are there, 2 lines were refused" in done.output
    assert [row[2] for row in owner.hub.read("room", 0)] == [0.0, 2.0, 3.0, 5.0]
    assert [row[2] for row in owner.hub.read("a, b", 0)] == [None]


def test_an_import_without_a_column_a_server_or_the_token_says_so(
    runner: FlaskCliRunner, url: str, tmp_path: Path
) -> None:
    file = tmp_path / "x.csv"
    file.write_text("name,value\na,1\n")
    assert "line 1: the column time is missing" in runner.invoke(args=["series", "import", str(file)]).output
    file.write_text(f"name,time,value\na,{START},1\n")
    nobody = ["series", "import", str(file), "--url", "http://127.0.0.1:1"]
    assert "cannot be reached" in runner.invoke(args=nobody).output
    wrong = ["series", "import", str(file), "--url", url, "--token", f"{TOKEN}x"]
    assert "answered 403: The request brings no token" in runner.invoke(args=wrong).output


def test_series_are_deleted_by_a_pattern_after_a_question(runner: FlaskCliRunner, owner: Owner, url: str) -> None:
    owner.hub.append([(name, START, 1.0) for name in ("cpu{host=a}", "cpu{host=b}", "memory", "cpu[0]")])
    command = ["series", "delete", "cpu{*}", "--url", url]
    kept = runner.invoke(args=command, input="n\n")
    assert (kept.exit_code, "Delete these 2 series" in kept.output) == (1, True)
    assert runner.invoke(args=command, input="y\n").output.endswith("2 series were deleted\n")
    assert "1 series were deleted" in runner.invoke(args=["series", "delete", "cpu[0]", "--yes", "--url", url]).output
    listed = runner.invoke(args=["series", "list"]).output
    assert ("  cpu" in listed, "  memory" in listed) == (False, True)
    nothing = runner.invoke(args=command)
    assert (nothing.exit_code, "No series matches 'cpu{*}'" in nothing.output) == (1, True)


def test_what_a_damaged_file_still_has_is_recovered_into_a_new_one(
    runner: FlaskCliRunner, owner: Owner, tmp_path: Path
) -> None:
    owner.hub.append([("a", START, 1.5)])
    copy, target = tmp_path / "copy.sqlite", tmp_path / "target.sqlite"
    runner.invoke(args=["journal", "backup", str(copy)])
    assert "has what can be read" in runner.invoke(args=["journal", "recover", str(copy), str(target)]).output
    assert "is there already" in runner.invoke(args=["journal", "recover", str(copy), str(target)]).output
    copy.write_bytes(b"no database" * 1000)
    nothing = runner.invoke(args=["journal", "recover", str(copy), str(tmp_path / "other")])
    assert (nothing.exit_code, "can be read" in nothing.output) == (1, True)


def test_a_journal_is_checked_and_backed_up_while_the_server_runs_and_restored_when_it_does_not(
    runner: FlaskCliRunner, owner: Owner, tmp_path: Path
) -> None:
    owner.hub.append([("a", START, 1.5)])
    checked = runner.invoke(args=["journal", "check"])
    assert (checked.exit_code, "0 batches are damaged, the index is whole" in checked.output) == (0, True)
    copy = tmp_path / "copy.sqlite"
    assert runner.invoke(args=["journal", "backup", str(copy)]).exit_code == 0
    assert "is there already" in runner.invoke(args=["journal", "backup", str(copy)]).output
    refused = runner.invoke(args=["journal", "restore", str(copy)])
    assert (refused.exit_code, "already writes to it" in refused.output) == (1, True)
    owner.hub.append([("a", START + 1, 2.5)])
    owner.stop()
    assert runner.invoke(args=["journal", "restore", str(copy)]).exit_code == 0
    exported = runner.invoke(args=["series", "export", "a"]).output
    assert exported == f"name,time,value\na,{START},1.5\n"


@pytest.mark.parametrize(
    "given", [("a.sqlite", "b.sqlite"), ("nats://a:4222", "nats://b:4222")], ids=["two files", "two clusters"]
)
def test_a_journal_is_copied_between_a_file_and_servers_alone(app: Flask, given: tuple[str, str]) -> None:
    ended = app.test_cli_runner().invoke(args=["journal", "copy", *given])
    assert ended.exit_code == 2
    assert "Give a file and NATS servers" in ended.output


def test_no_command_waits_for_bokeh_to_load() -> None:
    code = "import sys, wsgi; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    loaded = done.stdout.split()
    assert "tidegauge.server.owner" in loaded
    assert not {"bokeh.models", "bokeh.embed"} & set(loaded)
