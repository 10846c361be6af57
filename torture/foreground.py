"""An Apache that is started as systemd starts it, in the foreground: with limits, or with another clock."""

import os
import signal
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import IO

import served
from served import Served


@contextmanager
def foreground(
    server: Served,
    *,
    through: Sequence[str] = (),
    output: IO[bytes] | int | None = None,
    environ: Mapping[str, str] | None = None,
) -> Iterator[subprocess.Popen[bytes]]:
    """Serve what *server* did, which is stopped for it, until the end of the block; yields Apache's process.

    Args:
        through: a program that becomes Apache, with its arguments.
        output: where both of its streams go; None: to the server's log.
        environ: for Apache, beside the server's own.
    """
    server.command("stop")
    home = Path(f"/opt/tidegauge/{server.port}") if os.geteuid() == 0 else served.ROOT
    user = ["setpriv", "--reuid=tidegauge", "--regid=tidegauge", "--init-groups"] if os.geteuid() == 0 else []
    files = {"TIDEGAUGE_JOURNAL": server.journal, "TIDEGAUGE_JOURNAL_COPY": server.journal.with_name("copy.sqlite")}
    environ = {name: str(file) for name, file in files.items()} | server.environ | dict(environ or {})
    # By env, and not for setpriv: what is preloaded leaves files behind that are root's.
    given = ["env", *(f"{name}={value}" for name, value in environ.items())]
    command = [*through, *user, *given, str(home / "apache/httpd-foreground")]
    with log_of(server).open("ab") as log:
        streams = log if output is None else output
        apache = subprocess.Popen(command, stdout=streams, stderr=streams, start_new_session=True)
    try:
        server.wait_ready()
        yield apache
    finally:
        apache.send_signal(signal.SIGTERM)
        apache.wait(60)


def log_of(server: Served) -> Path:
    """Return the file of the server's log."""
    if os.geteuid() == 0:
        return Path(f"/var/log/tidegauge-{server.port}.log")
    return Path.home() / f".local/state/tidegauge/{server.port}.log"
