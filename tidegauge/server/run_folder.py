"""The run folder: what Apache serves, and who may write it."""

import hashlib
from collections.abc import Iterable
from pathlib import Path
from typing import IO

from tidegauge.settings import Token
from tidegauge.store.file_lock import lock

PID_FILE = "daemon.pid"


class RunFolder:
    """A folder on tmpfs for feeds, pages and the process id; one process has it at a time.

    Its holder has a lock on ``daemon.pid`` there, whose first line is its process id.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._lock_file: IO[str] | None = None

    @property
    def pages(self) -> Path:
        """The folder of the dashboards' pages."""
        return self._path / "pages"

    @property
    def feeds(self) -> Path:
        """The folder of the feeds."""
        return self._path / "feeds"

    def take(self) -> None:
        """Become its holder, if this process is not that already.

        Raises:
            Held: another process is.
        """
        if self._lock_file is None:
            self._lock_file = lock(self._path / PID_FILE)

    def release(self) -> None:
        """Let another process have it."""
        if self._lock_file:
            self._lock_file.close()
            self._lock_file = None

    def write_tokens(self, tokens: Iterable[Token]) -> None:
        """Tell Apache whose pushes it may let in: the SHA-1 of every token (apache/tidegauge.conf)."""
        hashes = [hashlib.sha1(token.secret.encode()).hexdigest() for token in tokens]  # noqa: S324
        staged = self._path / "tokens.new"
        staged.write_text("".join(f"{one}\n" for one in hashes), "ascii")
        staged.chmod(0o640)
        staged.replace(staged.with_name("tokens"))
