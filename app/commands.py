"""The `flask --app wsgi` commands. They read the journal; what they write goes through the running server."""

import asyncio
import csv
import json
import re
import ssl
from collections.abc import Iterator
from contextlib import suppress
from datetime import UTC, datetime
from fnmatch import fnmatchcase
from itertools import chain
from math import inf, isfinite, isnan
from pathlib import Path
from typing import IO, TYPE_CHECKING
from urllib.error import HTTPError, URLError
from urllib.parse import urlencode
from urllib.request import HTTPSHandler, ProxyHandler, Request, build_opener

import apsw
import click
from flask import Flask
from flask.cli import AppGroup, with_appcontext

from app.errors import JournalUnusable
from app.errors import describe as explain
from app.guard import current_house
from app.journal import runs
from app.journal.mark import Mark
from app.journal.recovery import recover
from app.journal.schema import STEPS
from app.journal.sqlite import Retention, SqliteJournal
from app.journal.survey import survey
from app.settings import Servers, describe, parse_servers

if TYPE_CHECKING:
    from app.journal.jetstream.engine import Access

IMPORT_ROWS = 5_000  # in one push
URL_HELP = "The running server; by default the one on TIDEGAUGE_PORT of this host."
TOKEN_HELP = "A push token; by default the first of TIDEGAUGE_PUSH_TOKEN."  # noqa: S105

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
    path = Path(current_house().settings.file)
    if not path.exists():
        raise click.ClickException(f"There is no journal {path}: set TIDEGAUGE_JOURNAL.")
    return path


def _read() -> apsw.Connection:
    db = apsw.Connection(str(_path()), flags=apsw.SQLITE_OPEN_READONLY)
    if (version := db.pragma("user_version")) != len(STEPS):
        raise click.ClickException(
            f"{_path()} has version {version}, this release reads version {len(STEPS)}: "
            "a server of this release that starts on it brings an older one up to date."
        )
    return db


def _id(db: apsw.Connection, name: str) -> int:
    for (number,) in db.execute("SELECT id FROM series WHERE name = ?", (name,)):
        return int(number)
    raise click.ClickException(f"There is no series {name!r}: `flask --app wsgi series list` has the names.")


def _moment(time_ms: int) -> str:
    return datetime.fromtimestamp(time_ms / 1000, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _value(value: float) -> str:
    return "gap" if isnan(value) else repr(value)


@series.command("list")
def list_() -> None:
    """Print every series with its newest time and value."""
    db = _read()
    names = dict(db.execute("SELECT id, name FROM series WHERE name IS NOT NULL ORDER BY name"))
    _, numbers, times, values = runs.newest(db, dict.fromkeys(names, 1))
    rows = {number: row for number, *row in zip(numbers.tolist(), times.tolist(), values.tolist(), strict=True)}
    for number, name in names.items():
        if number in rows:
            time, value = rows[number]
            click.echo(f"{_moment(time)}  {_value(value):>22}  {name}")


@series.command("show")
@click.argument("name")
@click.option("--last", default=20, show_default=True, help="How many samples.")
def show(name: str, last: int) -> None:
    """Print the newest samples of the series NAME."""
    db = _read()
    seqs, _, times, values = runs.newest(db, {_id(db, name): last})
    for seq, time, value in zip(seqs.tolist(), times.tolist(), values.tolist(), strict=True):
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
        for time, value in chain.from_iterable(runs.read(db, "time, value", number, 0, runs.ALWAYS)):
            rows.writerow([name, time, "" if value is None else repr(value)])


class Refused(click.ClickException):
    """The server's answer was no success; ``status`` and ``detail`` say why."""

    def __init__(self, target: str, status: int, detail: str) -> None:
        super().__init__(f"{target} answered {status}: {detail}")
        self.status = status
        self.detail = detail


class Server:
    """The running server, asked with a push token."""

    def __init__(self, url: str | None, token: str | None) -> None:
        settings = current_house().settings
        tokens = [one.secret for one in settings.push_tokens]
        if not (secret := token or next(iter(tokens), "")):
            raise click.UsageError("Give --token, or set TIDEGAUGE_PUSH_TOKEN.")
        scheme = "https" if settings.tls_certificate else "http"
        self._root = (url or f"{scheme}://127.0.0.1:{settings.port}").rstrip("/")
        self._headers = {"Authorization": f"Bearer {secret}"}
        handlers = [ProxyHandler({})] if url or scheme == "http" else [ProxyHandler({}), _own(settings.tls_certificate)]
        self._opener = build_opener(*handlers)

    def ask(self, method: str, path: str, body: bytes | None = None) -> bytes:
        """Return the body of the answer; raises Refused, or ClickException where there is none."""
        target = self._root + path
        request = Request(target, body, self._headers, method=method)  # noqa: S310 - the user's own URL
        try:
            with self._opener.open(request, timeout=60) as answer:
                received: bytes = answer.read()
                return received
        except HTTPError as error:
            said = error.read().decode(errors="replace")
            why = json.loads(said)["detail"] if said.startswith("{") else said[:200]
            raise Refused(target, error.code, why) from None
        except URLError as error:
            raise click.ClickException(f"{target} cannot be reached: {error.reason}. Is the server running?") from None


def _own(certificate: str) -> HTTPSHandler:
    """Trust this very certificate, whoever has issued it: it is in another name than the loopback's address."""
    context = ssl.create_default_context(cafile=certificate)
    context.check_hostname = False
    context.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN
    return HTTPSHandler(context=context)


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


@journal.command("check")
def check() -> None:
    """Check every batch of the journal and its index, also while the server runs; exit 1 if something is damaged."""
    db = _read()
    [(to,)] = db.execute("SELECT coalesce(max(last_seq), 0) FROM batch")
    damage: list[tuple[int, int]] = []
    index_agrees = True
    with click.progressbar(length=to, label="checking") as bar:
        for found in survey(db, to):
            damage += found.damaged
            index_agrees &= not found.wrong and not found.unreadable
            bar.update(found.end - bar.pos)
    for first, last in damage:
        click.echo(f"the samples {first} to {last} are damaged")
    click.echo(f"{len(damage)} batches are damaged, the index is {'whole' if index_agrees else 'damaged'}")
    if damage or not index_agrees:
        raise SystemExit(1)


@journal.command("recover")
@click.argument("source", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.argument("target", type=click.Path(path_type=Path))
def recover_(source: Path, target: Path) -> None:
    """Write what can be read of SOURCE, a file that was set aside as damaged, to TARGET.

    TARGET is a journal: `TIDEGAUGE_JOURNAL=TARGET flask --app wsgi series export NAME` reads it.
    """
    if target.exists():
        raise click.ClickException(f"{target} is there already: name another file.")
    marked = Mark(_path().with_name(f"{_path().name}-mark")).read()
    if recover(source, target, ceiling=marked.ceiling, within_s=inf) is None:
        raise click.ClickException(f"Nothing of {source} can be read.")
    click.echo(f"{target} has what can be read of {source}")


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
    path = Path(current_house().settings.file)
    try:
        SqliteJournal(path).replace_by(source)
    except JournalUnusable as error:
        raise click.ClickException(error.what) from None
    click.echo(f"{path} has what {source} had")


def _for(servers: Servers) -> "tuple[Access, Retention]":
    """Return how *servers* are reached, and what a stream that is made there keeps."""
    from app.journal.jetstream.engine import Access

    settings = current_house().settings
    access = Access(servers.urls, settings.nats_credentials, settings.nats_ca)
    return access, Retention(settings.retention_days, settings.retention_samples)


@journal.command("copy")
@click.argument("source")
@click.argument("target")
def copy(source: str, target: str) -> None:
    """Copy the journal SOURCE, a file, to TARGET, NATS servers such as nats://a:4222,b:4222; or the other way.

    No server may run on either. The epoch is kept. A copy that was broken off goes on where it ended when the command
    is given again. In the end both sides are read and compared.
    """
    from app.journal.jetstream import move

    into, out_of = parse_servers(target), parse_servers(source)
    servers, file = into or out_of, Path(source if into else target)
    if not servers or (into and out_of):
        raise click.UsageError("Give a file and NATS servers, in this order or the other.")
    access, retention = _for(servers)
    with click.progressbar(length=0, label="copying") as bar:

        def progress(done: int, of: int) -> None:
            bar.length = of
            bar.update(done - bar.pos)

        work = (
            move.into_stream(file, access, servers.stream, retention, progress)
            if into
            else move.into_file(access, servers.stream, file, progress)
        )
        try:
            totals = asyncio.run(work)
        except JournalUnusable as error:
            raise click.ClickException(error.what) from None
        except move.FAILURES as error:
            raise click.ClickException(f"{explain(error)}. Give the command again to go on.") from None
    click.echo(f"{sum(count for count, _ in totals.values())} samples of {len(totals)} series are on both sides")


@journal.command("renew")
@click.confirmation_option(prompt="Begin a new epoch? Every viewer then reads all anew")
def renew() -> None:
    """Begin a new epoch of the stream in TIDEGAUGE_JOURNAL, or make it where it is gone; then reload every host."""
    from app.journal.jetstream import move

    servers = current_house().settings.servers
    if not servers:
        raise click.UsageError("TIDEGAUGE_JOURNAL names no NATS servers.")
    try:
        access, retention = _for(servers)
        epoch = asyncio.run(move.renew(access, servers.stream, retention))
    except move.FAILURES as error:
        raise click.ClickException(f"{explain(error)}.") from None
    click.echo(f"The epoch is {epoch}: reload every host.")
