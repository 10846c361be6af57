"""The `flask --app wsgi` commands."""

from pathlib import Path

import click
from flask import Flask
from flask.cli import with_appcontext

from app.guard import current_house
from app.settings import describe


def register(app: Flask) -> None:
    """Add the commands to *app*."""
    app.cli.add_command(settings)
    app.cli.add_command(assets)


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
