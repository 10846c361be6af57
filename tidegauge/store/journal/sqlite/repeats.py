"""Requests that were kept already: a repeat is answered with the numbers of the first, and kept once."""

from collections import OrderedDict
from collections.abc import Iterable, Sequence

from tidegauge.store.journal.sqlite.group_commit import Waiting

REQUESTS = 10_000  # that are remembered


class Repeats:
    """The last sequence number of each remembered request, by its hash.

    Args:
        kept: hashes and numbers of the newest requests, oldest first.
    """

    def __init__(self, kept: Iterable[tuple[bytes, int]] = ()) -> None:
        self._last_seq = OrderedDict(kept)

    def without(self, group: Sequence[Waiting]) -> list[Waiting]:
        """Return those of *group* that are no repeats, neither of a kept request nor of one before in the group."""
        fresh: dict[bytes | int, Waiting] = {}
        for one in group:
            if one.push is None or one.push not in self._last_seq:
                fresh.setdefault(one.push or id(one), one)
        return list(fresh.values())

    def remember(self, group: Sequence[Waiting], fresh: Sequence[Waiting]) -> None:
        """Take in *fresh*, which are kept now, and give each of *group* the number of the request it repeats."""
        self._last_seq |= {one.push: one.last for one in fresh if one.push}
        for one in group:
            if one.push:
                one.last = self._last_seq[one.push]
        while len(self._last_seq) > REQUESTS:
            self._last_seq.popitem(last=False)
