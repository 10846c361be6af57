"""The journal in memory: a new process is a new epoch."""

import secrets
from collections.abc import Mapping, Sequence
from threading import Lock

from tidegauge.store.journal import Commits, Follower, Reading


class MemoryJournal:
    """Keeps nothing beyond the process: numbers live in the windows.

    The lock makes numbering and delivery one critical section, so nobody can see a sequence number
    before a smaller one. Delivery only copies into the windows.
    """

    problem = behind = ""
    is_leader = True
    losses: Sequence[str] = ()
    history = None

    def __init__(self) -> None:
        self.epoch = secrets.token_hex(8)
        self.commits = Commits()
        self._lock = Lock()  # guards the number, and the order of delivery
        self._last_seq = 0
        self._follower: Follower

    def open(self, follower: Follower) -> None:
        """See Journal; there is nothing to fill it with."""
        self._follower = follower

    def close(self) -> None:
        """Do nothing; see Journal."""

    def append(self, batch: Sequence[Reading], push: bytes | None = None) -> int:  # noqa: ARG002 - repeats are seen by their samples
        """Number the batch and deliver it; see Journal."""
        with self._lock:
            [stamped] = self._follower.admit([batch])
            first = self._last_seq + 1
            self._last_seq += len(stamped)
            self._follower.deliver([(first, stamped)])
            return self._last_seq

    def forget(self, names: Sequence[str]) -> None:
        """See Journal."""
        with self._lock:
            self._follower.forget(names)

    def keep_units(self, units: Mapping[str, str]) -> None:
        """See Journal."""
        self._follower.note_units(units)

    def campaign(self) -> None:
        """Do nothing: there is no other process; see Journal."""

    def resign(self) -> None:
        """Do nothing; see Journal."""

    def state(self) -> dict[str, object]:
        """See Journal."""
        return {"kind": "memory"}
