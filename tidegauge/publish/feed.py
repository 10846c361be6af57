"""The format of a feed, for all who write one: the publisher's files and ``/api/feed``.

    tail.json    {"epoch": "9f2c...", "build": "51ab...", "from": 1180, "to": 1240, "time": 1795000000123,
                  "poll_ms": 2000, "series": [
                    {"name": "cpu.usage", "seq": [1181, ...], "t": [1795000000001, ...], "v": [12.5, null, ...]}]}
    window.json  the same without the common "from"; each series has one of its own and no "seq", and is sorted by "t"

``t`` and ``time`` are ms since the Unix epoch, ``v`` is a float or null: a gap. A series has its ``unit`` where one is
known. ``problem`` says why nothing new comes, ``omitted`` how many series match and are left out.
"""

from collections.abc import Iterable, Mapping, Sequence

import msgspec

from tidegauge.store.hub import Hub
from tidegauge.store.snapshot import SeriesSnapshot, Snapshot
from tidegauge.store.thinning import Floats
from tidegauge.store.times import now_ms

WINDOW, TAIL = "window.json", "tail.json"
MATCHING = 100  # series of a pattern, at most
Series = dict[str, object]  # name, unit and columns of one


def resolve(hub: Hub, series: Iterable[str]) -> tuple[list[str], int]:
    """Return the names that *series*, names and patterns, stand for, and how many more match beyond the limit."""
    names: dict[str, None] = {}
    omitted = 0
    for one in series:
        found = hub.windows.matching(one)
        omitted += len(found[MATCHING:])
        names |= dict.fromkeys(found[:MATCHING])
    return list(names), omitted


def window_series(snapshot: Snapshot) -> list[Series]:
    """Return the series of a window.json; msgspec writes a NaN as null, a gap."""
    found: list[Series] = []
    for one in snapshot.series:
        _, t, v = one.columns.by_time()
        found.append({**_head(one), "from": one.evicted, "t": list(t), "v": list(v)})
    return found


def tail_series(snapshot: Snapshot) -> list[Series]:
    """Return the series of a tail.json."""
    found: list[Series] = []
    for one in snapshot.series:
        seq, t, v = one.columns
        found.append({**_head(one), "seq": list(seq), "t": list(t), "v": list(v)})
    return found


def history_series(name: str, unit: str | None, rate_s: float | None, t: Floats, v: Floats) -> Series:
    """Return a series of a history, as a window.json has it; with ``rate_s`` where *v* are rates."""
    entry = {"name": name, "unit": unit, "rate_s": rate_s, "t": t.astype(int).tolist(), "v": v.tolist()}
    return {key: value for key, value in entry.items() if value is not None}


def _head(one: SeriesSnapshot) -> Series:
    return {"name": one.name, "unit": one.unit} if one.unit else {"name": one.name}


class Encoder:
    """Writes feeds of one life of the dashboards.

    Args:
        hub: whose epoch they have, and whose journal's problem they tell.
        build: the hash that makes an open page reload itself when it changes.
        poll_ms: what the pages are told to wait between two polls.
    """

    def __init__(self, hub: Hub, *, build: str, poll_ms: int) -> None:
        self._hub = hub
        self._build = build
        self._poll_ms = poll_ms

    def encode(self, bounds: Mapping[str, int], series: Sequence[Series], omitted: int = 0) -> bytes:
        """Return a feed as JSON.

        Args:
            bounds: its ``from`` and ``to``.
            series: name and columns of each.
            omitted: how many series match and are left out.
        """
        head: dict[str, object] = {
            "epoch": self._hub.journal.epoch,
            "build": self._build,
            **bounds,
            "time": now_ms(),
            "poll_ms": self._poll_ms,
        }
        if problem := self._hub.problem:
            head["problem"] = problem
        if omitted:
            head["omitted"] = omitted
        return msgspec.json.encode({**head, "series": series})
