"""The journal's file, as commands read it."""

from datetime import UTC, datetime
from math import isnan
from pathlib import Path

import apsw
import click

from tidegauge.server.current import current_owner
from tidegauge.store.journal.sqlite.schema import MIGRATIONS


def path() -> Path:
    """Return the journal's file; raises ClickException where there is none."""
    path = Path(current_owner().settings.file)
    if not path.exists():
        raise click.ClickException(f"There is no journal {path}: set TIDEGAUGE_JOURNAL.")
    return path


def read() -> apsw.Connection:
    """Open the journal's file to read, beside whoever writes it; raises ClickException."""
    db = apsw.Connection(str(path()), flags=apsw.SQLITE_OPEN_READONLY)
    if (version := db.pragma("user_version")) != len(MIGRATIONS):
        raise click.ClickException(
            f"{path()} has version {version}, this release reads version {len(MIGRATIONS)}: "
            "a server of this release that starts on it brings an older one up to date."
        )
    return db


def id_of(db: apsw.Connection, name: str) -> int:
    """Return the number of the series *name*; raises ClickException where there is none."""
    for (number,) in db.execute("SELECT id FROM series WHERE name = ?", (name,)):
        return int(number)
    raise click.ClickException(f"There is no series {name!r}: `flask --app wsgi series list` has the names.")


def moment(time_ms: int) -> str:
    """Return a time, ms since the Unix epoch, as ISO 8601 in UTC."""
    return datetime.fromtimestamp(time_ms / 1000, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def value_text(value: float) -> str:
    """Return a value as text; NaN is a gap."""
    return "gap" if isnan(value) else repr(value)
