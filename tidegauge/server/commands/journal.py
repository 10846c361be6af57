"""`flask tidegauge journal`: check, back up, restore and copy the journal."""

import asyncio
from math import inf
from pathlib import Path
from typing import TYPE_CHECKING

import apsw
import click
from flask.cli import AppGroup

from tidegauge.errors import JournalUnusable, explain
from tidegauge.server.commands.file import path, read
from tidegauge.server.current import current_owner
from tidegauge.settings import Servers, parse_servers
from tidegauge.store.journal.sqlite import files
from tidegauge.store.journal.sqlite.high_water import HighWaterMark
from tidegauge.store.journal.sqlite.recovery import recover
from tidegauge.store.journal.sqlite.retention import Retention
from tidegauge.store.journal.sqlite.scrub import scrub

if TYPE_CHECKING:
    from tidegauge.store.journal.jetstream.access import Access

journal = AppGroup("journal", help="Check, back up and restore the journal.")


@journal.command("check")
def check() -> None:
    """Check every batch of the journal and its index, also while the server runs; exit 1 if something is damaged."""
    db = read()
    [(to,)] = db.execute("SELECT coalesce(max(last_seq), 0) FROM batch")
    damage: list[tuple[int, int]] = []
    index_agrees = True
    with click.progressbar(length=to, label="checking") as bar:
        for found in scrub(db, to):
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
    if recover(source, target, ceiling=HighWaterMark(path()).read().ceiling, within_s=inf) is None:
        raise click.ClickException(f"Nothing of {source} can be read.")
    click.echo(f"{target} has what can be read of {source}")


@journal.command("backup")
@click.argument("target", type=click.Path(path_type=Path))
def backup(target: Path) -> None:
    """Copy the journal to TARGET, whole and as of one moment, also while the server runs."""
    if target.exists():
        raise click.ClickException(f"{target} is there already: name another file.")
    source = read()
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
    path = Path(current_owner().settings.file)
    try:
        files.replace(path, source)
    except JournalUnusable as error:
        raise click.ClickException(error.what) from None
    click.echo(f"{path} has what {source} had")


def _for(servers: Servers) -> "tuple[Access, Retention]":
    """Return how *servers* are reached, and what a stream that is made there keeps."""
    from tidegauge.store.journal.jetstream.access import Access

    settings = current_owner().settings
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
    from tidegauge.store.journal.jetstream import transfer

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
            transfer.into_stream(file, access, servers.stream, retention, progress)
            if into
            else transfer.into_file(access, servers.stream, file, progress)
        )
        try:
            totals = asyncio.run(work)
        except JournalUnusable as error:
            raise click.ClickException(error.what) from None
        except transfer.FAILURES as error:
            raise click.ClickException(f"{explain(error)}. Give the command again to go on.") from None
    click.echo(f"{sum(count for count, _ in totals.values())} samples of {len(totals)} series are on both sides")


@journal.command("renew")
@click.confirmation_option(prompt="Begin a new epoch? Every viewer then reads all anew")
def renew() -> None:
    """Begin a new epoch of the stream in TIDEGAUGE_JOURNAL, or make it where it is gone; then reload every host."""
    from tidegauge.store.journal.jetstream import transfer

    servers = current_owner().settings.servers
    if not servers:
        raise click.UsageError("TIDEGAUGE_JOURNAL names no NATS servers.")
    try:
        access, retention = _for(servers)
        epoch = asyncio.run(transfer.renew(access, servers.stream, retention))
    except transfer.FAILURES as error:
        raise click.ClickException(f"{explain(error)}.") from None
    click.echo(f"The epoch is {epoch}: reload every host.")
