"""Somebody's own Flask application, with the wheel of Tidegauge and no clone of it."""

import shutil
import subprocess
import sys
from pathlib import Path
from zipfile import ZipFile

from served import ROOT

# Its package has the name that Tidegauge's had in the first edition.
APPLICATION = """
import click
from flask import Flask

from app.products import NAME
from tidegauge import Tidegauge


def create_app():
    app = Flask(__name__)
    Tidegauge(app, url_prefix="/live")

    @app.get("/")
    def front():
        return f"the {NAME}'s front page"

    @app.get("/broken")
    def broken():
        raise RuntimeError

    @app.errorhandler(404)
    def not_found(error):
        return f"the {NAME}'s 404", 404

    @app.errorhandler(RuntimeError)
    def failed(error):
        return f"the {NAME}'s 500", 500

    @app.cli.command("stock")
    def stock():
        click.echo("12 in stock")

    return app
"""
DASHBOARD = """
from bokeh.plotting import figure
from tidegauge import dashboard, live, sampler

from app.products import NAME

@sampler("orders", every_s=1)
def orders():
    return 1.0

@dashboard(title=f"Orders of the {NAME}")
def page():
    plot = figure()
    plot.line("t", "v", source=live("orders"))
    return plot
"""
FILES = {
    "wsgi.py": "from app import create_app\n\napplication = create_app()\n",
    "app/__init__.py": APPLICATION,
    "app/products.py": 'NAME = "shop"\n',
    "app/dashboards/orders.py": DASHBOARD,
    "app/dashboards/first_edition.py": "from app.dashboards import dashboard\n",
}
# Path, method, status and a part of the body: its own, beside Tidegauge below /live.
ANSWERS = [
    ("/", "GET", 200, b"the shop's front page"),
    ("/", "POST", 405, b"The method is not allowed for the requested URL."),
    ("/nothing", "GET", 404, b"the shop's 404"),
    ("/live/nothing", "GET", 404, b"the shop's 404"),
    ("/broken", "GET", 500, b"the shop's 500"),
]


def write(folder: Path) -> Path:
    """Write the application to *folder*."""
    for name, text in FILES.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)
    return folder


def unpack_wheel(folder: Path) -> Path:
    """Build the wheel and unpack it to *folder*, for PYTHONPATH: what `pip install` does with it."""
    wheels = folder.with_name("wheels")
    command = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(wheels)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    [wheel] = wheels.glob("*.whl")
    with ZipFile(wheel) as file:
        file.extractall(folder)
    shutil.rmtree(wheels)
    return folder
