"""Which process serves: the owner is started there and nowhere else."""

from typing import Protocol

import click
from flask.helpers import get_debug_flag
from werkzeug.serving import is_running_from_reloader

from tidegauge.server.vitals import mod_wsgi


class Startable(Protocol):
    """What is started in the process that serves."""

    def start(self) -> None:
        """Begin to serve."""

    def stop(self) -> None:
        """End it."""

    def refuse(self, reason: str, cure: str) -> None:
        """Never serve from this process."""


def start_where_served(one: Startable) -> None:
    """Start *one* if this process serves: under mod_wsgi in daemon mode, or `flask run`.

    `flask run --debug` imports the application in two processes, of which the reloader's child serves;
    every other `flask` command imports it too.
    """
    if module := mod_wsgi():
        if not module.process_group:
            reason = "it runs in embedded mode, once in each of Apache's processes"
            one.refuse(reason, "Give it a WSGIDaemonProcess, and restart.")
            return
        module.subscribe_shutdown(lambda *_args, **_event: one.stop())
    elif context := _flask_run():
        context.call_on_close(one.stop)  # atexit is too late: nobody can begin work in a thread any more
    else:
        return
    one.start()


def _flask_run() -> click.Context | None:
    """Return the context of `flask run`, None where this process does not serve by it."""
    context = click.get_current_context(silent=True)
    if context is None or context.info_name != "run":
        return None
    reload = context.params.get("reload")
    reloader = get_debug_flag() if reload is None else reload
    return context if not reloader or is_running_from_reloader() else None
