"""The journal in memory: a new process is a new epoch."""

import secrets
from collections.abc import Mapping, Sequence
from threading import Lock

from tidegauge.store.counter import Counter
from tidegauge.store.journal import Follower, Newest, Reading, Row


class MemoryJournal:
    """Keeps nothing beyond the process: numbers live in the windows.

    The lock makes numbering and delivery one critical section, so nobody can see a sequence number
    before a smaller one. Delivery only copies into the windows.
    """

    problem = behind = ""
    leads = True
    losses: Sequence[str] = ()
    counted = 0
    commits = 0
    commit_s = 0.0

    def __init__(self) -> None:
        self.epoch = secrets.token_hex(8)
        self._counter = Counter()
        self._order = Lock()
        self.units: dict[str, str] = {}

    def open(self, window: int) -> Sequence[Newest]:  # noqa: ARG002
        """Return nothing; see Journal."""
        return ()

    def stand(self, *, able: bool) -> None:
        """Do nothing: there is no other process; see Journal."""

    def close(self) -> None:
        """Do nothing; see Journal."""

    def append(self, batch: Sequence[Reading], push: bytes | None = None) -> int:  # noqa: ARG002 - repeats are seen by their samples
        """Number the batch and deliver it; see Journal."""
        with self._order:
            [stamped] = self._follower.admit([batch])
            last = self._counter.add(len(stamped))
            self._follower.deliver([(last - len(stamped) + 1, stamped)])
            return last

    def forget(self, names: Sequence[str]) -> None:
        """See Journal."""
        with self._order:
            self._follower.forget(names)

    def follow(self, follower: Follower) -> None:
        """See Journal."""
        self._follower = follower

    def read(
        self,
        series: str,  # noqa: ARG002
        since: int,  # noqa: ARG002
        to: int,  # noqa: ARG002
        *,
        start_ms: int | None,  # noqa: ARG002
        end_ms: int | None,  # noqa: ARG002
        limit: int,  # noqa: ARG002
    ) -> tuple[list[Row], None]:
        """Return nothing: what is kept is in the windows; see Journal."""
        return [], None

    def history(self, series: str, to: int, start_ms: int, end_ms: int) -> None:  # noqa: ARG002
        """Return None; see Journal."""
        return

    def keep_units(self, units: Mapping[str, str]) -> None:
        """Keep them in memory; see Journal."""
        self.units |= units

    def state(self) -> dict[str, object]:
        """See Journal."""
        return {"kind": "memory"}

    def keep_count(self, n: int) -> None:
        """Do nothing; see Journal."""
