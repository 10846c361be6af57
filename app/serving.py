"""Which process serves: the house is opened there and nowhere else."""

import gc
import sys

import click
from flask import Flask
from flask.helpers import get_debug_flag
from werkzeug.serving import is_running_from_reloader

from app.house import House
from app.page_files import PageFiles
from app.vitals import mod_wsgi


def open_house(app: Flask) -> None:
    """Open the house if this process serves: under mod_wsgi in daemon mode, or `flask run`.

    `flask run --debug` imports the application in two processes, of which the reloader's child serves;
    every other `flask` command imports it too.
    """
    house: House = app.extensions["house"]
    if module := mod_wsgi():
        if not module.process_group:
            house.refuse("it runs in embedded mode, once in each of Apache's processes; give it a WSGIDaemonProcess")
            return
        module.subscribe_shutdown(lambda *_args, **_event: house.stop())
    elif context := _flask_run():
        context.call_on_close(house.stop)  # atexit is too late: nobody can begin work in a thread any more
    else:
        return
    # A push makes many thousand tuples that live for milliseconds; by default the collector would walk all that the
    # process has several times for each. What is loaded when the dashboards are built stays.
    gc.set_threshold(100_000, 20, 20)
    house.opened = gc.freeze
    # The journal's thread gets the interpreter back sooner from request threads that parse (database.py: insert). At
    # 0.2 ms sixteen threads that push took a fifth more of the processor, for switching alone.
    sys.setswitchinterval(0.001)
    house.publish_pages = PageFiles(app).publish
    house.start()


def _flask_run() -> click.Context | None:
    """Return the context of `flask run`, None where this process does not serve by it."""
    context = click.get_current_context(silent=True)
    if context is None or context.info_name != "run":
        return None
    reload = context.params.get("reload")
    reloader = get_debug_flag() if reload is None else reload
    return context if not reloader or is_running_from_reloader() else None
