"""The `flask tidegauge` commands. They read the journal; what they write goes through the running server."""

from pathlib import Path

import click
from flask.cli import AppGroup

from tidegauge.errors import ExtraMissing
from tidegauge.server.commands.journal import journal
from tidegauge.server.commands.series import series
from tidegauge.server.current import current_owner
from tidegauge.settings import as_lines

group = AppGroup("tidegauge", help="Series, the journal, settings and static files of Tidegauge.")
group.add_command(series)
group.add_command(journal)


@group.command("settings")
def settings() -> None:
    """Print every setting with its value and meaning."""
    click.echo(as_lines(current_owner().settings))


@group.command("assets")
@click.argument("folder", type=click.Path(file_okay=False, path_type=Path))
def assets(folder: Path) -> None:
    """Write the static files, compressed, and the error documents to FOLDER, for Apache."""
    try:
        written = current_owner().assets.write(folder)
    except ExtraMissing as error:
        raise click.ClickException(str(error)) from None
    click.echo(f"wrote {len(written)} files to {folder}")
