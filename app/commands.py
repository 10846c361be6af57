"""The `flask --app wsgi` commands. They read the journal; what they write goes through the running server."""

import csv
import json
import re
from collections.abc import Iterator
from contextlib import suppress
from datetime import UTC, datetime
from math import isfinite
from pathlib import Path
from typing import IO
from urllib.error import HTTPError, URLError
from urllib.request import ProxyHandler, Request, build_opener

import apsw
import click
from flask import Flask
from flask.cli import AppGroup, with_appcontext

from app.errors import JournalUnusable
from app.guard import current_house
from app.journal.checks import survey
from app.journal.sqlite import SqliteJournal
from app.settings import describe

IMPORT_ROWS = 5_000  # in one push

series = AppGroup("series", help="Look at the journal's series, and import some.")
journal = AppGroup("journal", help="Check, back up and restore the journal.")


def register(app: Flask) -> None:
    """Add the commands to *app*."""
    for command in (settings, assets, series, journal):
        app.cli.add_command(command)


@click.command("settings")
@with_appcontext
def settings() -> None:
    """Print every setting with its value and meaning."""
    click.echo(describe(current_house().settings))


@click.command("assets")
@with_appcontext
@click.argument("folder", type=click.Path(file_okay=False, path_type=Path))
def assets(folder: Path) -> None:
    """Write the static files, compressed, and the error documents to FOLDER, for Apache."""
    written = current_house().assets.write(folder)
    click.echo(f"wrote {len(written)} files to {folder}")


def _path() -> Path:
    path = Path(current_house().settings.journal)
    if not path.exists():
        raise click.ClickException(f"There is no journal {path}: set TIDEGAUGE_JOURNAL.")
    return path


def _read() -> apsw.Connection:
    return apsw.Connection(str(_path()), flags=apsw.SQLITE_OPEN_READONLY)


def _id(db: apsw.Connection, name: str) -> int:
    for (number,) in db.execute("SELECT id FROM series WHERE name = ?", (name,)):
        return int(number)
    raise click.ClickException(f"There is no series {name!r}: `flask --app wsgi series list` has the names.")


def _moment(time_ms: int) -> str:
    return datetime.fromtimestamp(time_ms / 1000, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _value(value: float | None) -> str:
    return "gap" if value is None else repr(value)


@series.command("list")
def list_() -> None:
    """Print every series with its newest time and value."""
    db = _read()
    query = "SELECT time, value FROM sample WHERE series = ? ORDER BY seq DESC LIMIT 1"
    for number, name in db.execute("SELECT id, name FROM series WHERE name IS NOT NULL ORDER BY name"):
        for time, value in db.execute(query, (number,)):
            click.echo(f"{_moment(time)}  {_value(value):>22}  {name}")


@series.command("show")
@click.argument("name")
@click.option("--last", default=20, show_default=True, help="How many samples.")
def show(name: str, last: int) -> None:
    """Print the newest samples of the series NAME."""
    db = _read()
    query = "SELECT seq, time, value FROM sample WHERE series = ? ORDER BY seq DESC LIMIT ?"
    for seq, time, value in reversed(list(db.execute(query, (_id(db, name), last)))):
        click.echo(f"{seq:>12}  {_moment(time)}  {_value(value)}")


@series.command("export")
@click.argument("names", nargs=-1, required=True)
@click.option("--to", type=click.File("w"), default="-", help="The file; without it, standard output.")
def export(names: tuple[str, ...], to: IO[str]) -> None:
    """Write the series NAMES as CSV: name,time,value, times in ms since the Unix epoch."""
    db = _read()
    numbers = [_id(db, name) for name in names]
    rows = csv.writer(to, lineterminator="\n")
    rows.writerow(["name", "time", "value"])
    for name, number in zip(names, numbers, strict=True):
        for time, value in db.execute("SELECT time, value FROM sample WHERE series = ? ORDER BY seq", (number,)):
            rows.writerow([name, time, "" if value is None else repr(value)])


@series.command("import")
@click.argument("file", type=click.File("r"))
@click.option("--url", help="The running server; by default the one on TIDEGAUGE_PORT of this host.")
@click.option("--token", help="A push token; by default the first of TIDEGAUGE_PUSH_TOKEN.")
def import_(file: IO[str], url: str | None, token: str | None) -> None:
    """Push FILE, CSV with the columns name, time and value, through the running server.

    What is there already is not stored again, so an import that was broken off may be repeated.
    """
    settings = current_house().settings
    tokens = [one.secret for one in settings.push_tokens]
    if not (secret := token or next(iter(tokens), "")):
        raise click.UsageError("Give --token, or set TIDEGAUGE_PUSH_TOKEN.")
    target = (url or f"http://127.0.0.1:{settings.port}").rstrip("/") + "/api/series"
    rows = list(_rows(file))
    refused = 0
    with click.progressbar(length=len(rows), label="importing") as bar:
        for start in range(0, len(rows), IMPORT_ROWS):
            part = rows[start : start + IMPORT_ROWS]
            for line, why in _push(target, secret, part):
                refused += 1
                click.echo(f"\nline {line}: {why}", err=True)
            bar.update(len(part))
    click.echo(f"{len(rows) - refused} samples are there, {refused} lines were refused")
    if refused:
        raise SystemExit(1)


def _rows(file: IO[str]) -> Iterator[tuple[int, str]]:
    """Yield each row's line number in *file*, and the row as a JSON object."""
    reader = csv.DictReader(file)
    if missing := {"name", "time", "value"} - set(reader.fieldnames or ()):
        raise click.ClickException(f"line 1: the column {min(missing)} is missing; expected name,time,value.")
    for row in reader:
        value: object = row["value"] or None
        with suppress(ValueError):  # else the server says what is wrong with it
            value = value if value is None or not isfinite(float(str(value))) else float(str(value))
        time = row["time"] or ""
        sample = {"name": row["name"], "value": value, "time": int(time) if time.isdigit() else time}
        yield reader.line_num, json.dumps(sample)


def _push(target: str, secret: str, rows: list[tuple[int, str]]) -> Iterator[tuple[int, str]]:
    """Push *rows*; yield the line number of each that the server refuses, and why, and push the others."""
    while rows:
        body = "\n".join(sample for _, sample in rows).encode()
        request = Request(target, body, {"Authorization": f"Bearer {secret}"})  # noqa: S310 - the user's own URL
        try:
            with build_opener(ProxyHandler({})).open(request, timeout=60):
                return
        except HTTPError as error:
            said = error.read().decode(errors="replace")
            why = json.loads(said)["detail"] if said.startswith("{") else said[:200]
            place = re.match(r"(?:line|sample) (\d+)\b[^:]*: ", why)
            if error.code != 400 or not place:
                raise click.ClickException(f"{target} answered {error.code}: {why}") from None
            line, _ = rows.pop(int(place[1]) - 1)
            yield line, why[place.end() :]
        except URLError as error:
            raise click.ClickException(f"{target} cannot be reached: {error.reason}. Is the server running?") from None


@journal.command("check")
def check() -> None:
    """Check every batch of the journal, also while the server runs; exit 1 if one is damaged."""
    db = _read()
    [(to,)] = db.execute("SELECT coalesce(max(last_seq), 0) FROM batch")
    damage: list[tuple[int, int]] = []
    with click.progressbar(length=to, label="checking") as bar:
        for seq, found in survey(db, to):
            damage += found
            bar.update(seq - bar.pos)
    for first, last in damage:
        click.echo(f"the samples {first} to {last} are damaged")
    click.echo(f"{len(damage)} batches are damaged")
    if damage:
        raise SystemExit(1)


@journal.command("backup")
@click.argument("target", type=click.Path(path_type=Path))
def backup(target: Path) -> None:
    """Copy the journal to TARGET, whole and as of one moment, also while the server runs."""
    if target.exists():
        raise click.ClickException(f"{target} is there already: name another file.")
    source = _read()
    copy = apsw.Connection(str(target))
    with copy.backup("main", source, "main") as running, click.progressbar(length=1000, label="copying") as bar:
        while not running.done:
            running.step(2_000)
            bar.update(round(1000 * (1 - running.remaining / max(1, running.page_count))) - bar.pos)
    copy.close()
    click.echo(f"{target} has it")


@journal.command("restore")
@click.argument("source", type=click.Path(exists=True, dir_okay=False, path_type=Path))
def restore(source: Path) -> None:
    """Put the backup SOURCE in the journal's place; the server must be stopped. What was there is set aside.

    Samples since the backup are missing then: the server says so, and begins another epoch.
    """
    path = Path(current_house().settings.journal)
    try:
        SqliteJournal(path).replace_by(source)
    except JournalUnusable as error:
        raise click.ClickException(error.what) from None
    click.echo(f"{path} has what {source} had")
