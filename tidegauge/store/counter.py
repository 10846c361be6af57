"""A count that only goes up, guarded by a lock."""

from threading import Lock


class Counter:
    """A count that any number of threads may raise; every number is handed out once.

    There are two in the owner: the journal's, which allots sequence numbers, and the tutorial's ``x``.
    """

    def __init__(self, start: int = 0) -> None:
        self._lock = Lock()
        self._value = start

    def add(self, n: int) -> int:
        """Raise the count by *n*, n >= 0, and return the new count.

        The caller alone owns the n numbers up to and including the one returned.
        """
        with self._lock:
            self._value += n
            return self._value

    def next(self) -> int:
        """Raise the count by one and return it; the first is 1 in a new counter."""
        return self.add(1)
