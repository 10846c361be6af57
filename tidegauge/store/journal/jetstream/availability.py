"""Whether samples can be taken now, as the connection, its sessions and its calls find out."""

import logging
from time import monotonic

from tidegauge.errors import explain

GRACE_S = 5.0  # servers that elect a leader take so long; what comes meanwhile waits, and is refused after it
CLOSING = "it is being closed"

log = logging.getLogger(__name__)


class Refused(Exception):
    """A session found what time will not mend; the text says what, and what to do."""


class Availability:
    """Why samples cannot be taken: ``problem``, "" while they can. It is said in the log when it changes."""

    def __init__(self) -> None:
        self.problem = "there was no connection to NATS yet"
        self._was_well = self._is_closing = False
        self._well_at = -GRACE_S  # monotonic, s; when something was last found well, or answered

    def note_well(self) -> None:
        """Note that a session has found all well."""
        self.note_answer()
        if self._is_closing or not self.problem:
            return
        if self._was_well:
            log.warning("The journal takes samples again")
        self._was_well = True
        self.problem = ""

    def note_answer(self) -> None:
        """Note that NATS has answered a call."""
        self._well_at = monotonic()

    def note_failure(self, error: BaseException) -> None:
        """Note a failure: at once what time will not mend, else where nothing was answered for GRACE_S."""
        while isinstance(error, BaseExceptionGroup):
            error = error.exceptions[0]
        if isinstance(error, Refused):
            self.report(str(error))
        elif monotonic() - self._well_at > GRACE_S:
            self.report(f"NATS is away: {explain(error)}")

    def report(self, why: str) -> None:
        """Take nothing from now on."""
        if self._is_closing:
            return
        if why != self.problem:
            log.error("The journal cannot take samples: %s", why)
        self.problem = why

    def close(self) -> None:
        """Take nothing any more, for good."""
        self._is_closing = True
        self.problem = CLOSING
