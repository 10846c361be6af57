"""`flask tidegauge series`: look at the journal's series, and import some."""

import csv
import json
import re
from collections.abc import Iterator
from contextlib import suppress
from fnmatch import fnmatchcase
from itertools import chain
from math import isfinite
from typing import IO
from urllib.parse import urlencode

import click
from flask.cli import AppGroup

from tidegauge.server.commands.client import TOKEN_HELP, URL_HELP, Refused, Server
from tidegauge.server.commands.file import id_of, moment, read, value_text
from tidegauge.store.journal.sqlite import by_series, series_index

IMPORT_ROWS = 5_000  # in one push

series = AppGroup("series", help="Look at the journal's series, and import some.")


@series.command("list")
def list_() -> None:
    """Print every series with its newest time and value."""
    db = read()
    names = dict(db.execute("SELECT id, name FROM series WHERE name IS NOT NULL ORDER BY name"))
    _, numbers, times, values = by_series.newest(db, dict.fromkeys(names, 1))
    rows = {number: row for number, *row in zip(numbers.tolist(), times.tolist(), values.tolist(), strict=True)}
    for number, name in names.items():
        if number in rows:
            time, value = rows[number]
            click.echo(f"{moment(time)}  {value_text(value):>22}  {name}")


@series.command("show")
@click.argument("name")
@click.option("--last", default=20, show_default=True, help="How many samples.")
def show(name: str, last: int) -> None:
    """Print the newest samples of the series NAME."""
    db = read()
    seqs, _, times, values = by_series.newest(db, {id_of(db, name): last})
    for seq, time, value in zip(seqs.tolist(), times.tolist(), values.tolist(), strict=True):
        click.echo(f"{seq:>12}  {moment(time)}  {value_text(value)}")


@series.command("export")
@click.argument("names", nargs=-1, required=True)
@click.option("--to", type=click.File("w"), default="-", help="The file; without it, standard output.")
def export(names: tuple[str, ...], to: IO[str]) -> None:
    """Write the series NAMES as CSV: name,time,value, times in ms since the Unix epoch."""
    db = read()
    numbers = [id_of(db, name) for name in names]
    rows = csv.writer(to, lineterminator="\n")
    rows.writerow(["name", "time", "value"])
    for name, number in zip(names, numbers, strict=True):
        for time, value in chain.from_iterable(by_series.read(db, "time, value", number, 0, series_index.ALWAYS)):
            rows.writerow([name, time, "" if value is None else repr(value)])


@series.command("import")
@click.argument("file", type=click.File("r"))
@click.option("--url", help=URL_HELP)
@click.option("--token", help=TOKEN_HELP)
def import_(file: IO[str], url: str | None, token: str | None) -> None:
    """Push FILE, CSV with the columns name, time and value, through the running server.

    What is there already is not stored again, so an import that was broken off may be repeated.
    """
    server = Server(url, token)
    rows = list(_rows(file))
    refused = 0
    with click.progressbar(length=len(rows), label="importing") as bar:
        for start in range(0, len(rows), IMPORT_ROWS):
            part = rows[start : start + IMPORT_ROWS]
            for line, why in _push(server, part):
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


def _push(server: Server, rows: list[tuple[int, str]]) -> Iterator[tuple[int, str]]:
    """Push *rows*; yield the line number of each that the server refuses, and why, and push the others."""
    while rows:
        try:
            server.ask("POST", "/api/series", "\n".join(sample for _, sample in rows).encode())
            return
        except Refused as error:
            place = re.match(r"(?:line|sample) (\d+)\b[^:]*: ", error.detail)
            if error.status != 400 or not place:
                raise
            line, _ = rows.pop(int(place[1]) - 1)
            yield line, error.detail[place.end() :]


@series.command("delete")
@click.argument("pattern")
@click.option("--url", help=URL_HELP)
@click.option("--token", help=TOKEN_HELP)
@click.option("--yes", is_flag=True, help="Do not ask.")
def delete(pattern: str, url: str | None, token: str | None, yes: bool) -> None:
    """Delete the series whose names match PATTERN, such as 'cpu.*{host=web1}', through the running server.

    A * stands for anything, a ? for one character. It cannot be undone.
    """
    server = Server(url, token)
    names = [one["name"] for one in json.loads(server.ask("GET", "/api/series"))["series"]]
    names = [name for name in names if fnmatchcase(name, pattern.replace("[", "[[]"))]
    if not names:
        raise click.ClickException(f"No series matches {pattern!r}: `flask --app wsgi series list` has the names.")
    click.echo("\n".join(names))
    if not yes:
        click.confirm(f"Delete these {len(names)} series with all their samples?", abort=True)
    with click.progressbar(names, label="deleting") as bar:
        for name in bar:  # one a request: a name may take most of what a URL may have
            server.ask("DELETE", f"/api/series?{urlencode({'name': name})}")
    click.echo(f"{len(names)} series were deleted")
