"""Requests at a rate that does not ask whether those before are answered: an open loop.

An answer's time counts from the moment at which its request was due, so a server that falls behind cannot hide it, and
neither can this generator.
"""

import re
import selectors
import socket
import time
from collections import Counter, deque
from dataclasses import dataclass, field
from math import inf
from urllib.parse import urlsplit

from bench.wrk import Request

MOST = 10_000  # connections at once, where no number is named


class _Connection:
    """A connection, and the answer to the request that is on its way."""

    def __init__(self, address: tuple[str, int]) -> None:
        self.due = 0.0  # of the request that is not answered; 0.0 if there is none
        self.answers = 0
        self.received = b""
        self.socket = socket.socket()
        self.socket.setblocking(False)
        self.socket.connect_ex(address)

    def answer(self) -> tuple[int, bytes] | None:
        """Return the status and head of the answer, once it is whole."""
        head, end, body = self.received.partition(b"\r\n\r\n")
        length = re.search(rb"(?i)\r\ncontent-length: (\d+)", head)
        if not end or len(body) < (int(length[1]) if length else 0):
            return None
        self.received = b""
        return int(head[9:12]), head


@dataclass
class OpenLoop:
    """Sends *request* to *url* so many times *per_s*, each over the connection that has been idle for longest.

    There are *connections* of them, all made first; None: a new one where none is idle, up to MOST. Where none is idle
    and none can be made, or an answer has not come in *patience_s*, the client gives up. With *is_patient* a request is
    sent again whose connection was ended while it was idle, as clients do.
    """

    url: str
    request: Request
    per_s: float
    connections: int | None = None
    patience_s: float = 10.0
    is_patient: bool = True
    sent: int = 0
    statuses: Counter[int] = field(default_factory=Counter)
    no_retry_after: int = 0  # refusals that do not say when to come again
    ended: int = 0  # connections that were not taken, or ended without an answer
    gave_up: int = 0
    waits_s: list[float] = field(default_factory=list)  # of all answers
    _idle: dict[_Connection, None] = field(default_factory=dict)
    _waiting: deque[tuple[float, _Connection]] = field(default_factory=deque)
    _selector: selectors.BaseSelector = field(default_factory=selectors.DefaultSelector)

    def __post_init__(self) -> None:
        parts = urlsplit(self.url)
        self._address = (parts.hostname or "", parts.port or 80)
        headers = {"Host": parts.netloc, **self.request.headers}
        if self.request.method != "GET":
            headers["Content-Length"] = str(len(self.request.body))
        lines = [f"{self.request.method} {self.request.path} HTTP/1.1", *(f"{k}: {v}" for k, v in headers.items())]
        self._message = "\r\n".join([*lines, "", ""]).encode() + self.request.body

    def run(self, seconds: float) -> None:
        """Send for so long, and wait for the last answers."""
        started, first = time.perf_counter(), self.sent
        while (passed := time.perf_counter() - started) < seconds:
            while (number := self.sent - first) < passed * self.per_s:
                self.sent += 1
                self._offer(started + number / self.per_s)
            self._receive(max(0.0, started + number / self.per_s - time.perf_counter()))
            self._give_up()
        while self._waiting:
            self._receive(0.01)
            self._give_up()

    def forget(self) -> None:
        """Count from here on, with the connections that there are."""
        self.statuses, self.waits_s = Counter(), []
        self.ended = self.gave_up = self.no_retry_after = 0

    def close(self) -> None:
        """End the connections."""
        for one in list(self._idle):
            self._end(one)
        self._selector.close()

    def _offer(self, due: float) -> None:
        there = len(self._selector.get_map())
        if there < MOST and not self._idle if self.connections is None else there < self.connections:
            self._send(self._connect(), due)
        elif self._idle:
            one = next(iter(self._idle))
            del self._idle[one]
            self._send(one, due)
        else:
            self.gave_up += 1

    def _connect(self) -> _Connection:
        one = _Connection(self._address)
        self._selector.register(one.socket, selectors.EVENT_READ, one)
        return one

    def _send(self, one: _Connection, due: float) -> None:
        one.due = due
        self._waiting.append((due, one))
        try:
            one.socket.send(self._message)
        except BlockingIOError:  # not connected yet
            self._selector.modify(one.socket, selectors.EVENT_WRITE, one)
        except OSError:
            self._end(one)

    def _receive(self, timeout_s: float) -> None:
        for key, events in self._selector.select(timeout_s):
            one: _Connection = key.data
            try:
                if events & selectors.EVENT_WRITE:
                    self._selector.modify(one.socket, selectors.EVENT_READ, one)
                    one.socket.send(self._message)
                    continue
                part = one.socket.recv(1 << 18)
            except OSError:
                part = b""
            one.received += part
            if not part:
                self._end(one)
            elif answer := one.answer():
                self._note(one, *answer)

    def _note(self, one: _Connection, status: int, head: bytes) -> None:
        self.statuses[status] += 1
        self.waits_s.append(time.perf_counter() - one.due)
        self.no_retry_after += status in {429, 503} and b"\r\nRetry-After: " not in head
        one.due = 0.0
        one.answers += 1
        if b"\r\nConnection: close" in head:
            self._end(one)
        else:
            self._idle[one] = None

    def _give_up(self) -> None:
        """Take those off the list that are answered, and those that are not in time."""
        while self._waiting:
            due, one = self._waiting[0]
            if one.due == due:
                if time.perf_counter() - due < self.patience_s:
                    return
                self.gave_up += 1
                one.due = 0.0
                self._end(one)
            self._waiting.popleft()

    def _end(self, one: _Connection) -> None:
        self._selector.unregister(one.socket)
        one.socket.close()
        self._idle.pop(one, None)
        due, one.due = one.due, 0.0
        if due and one.answers and self.is_patient:  # it was ended while it was idle, as the request set out
            self._send(self._connect(), due)
        else:
            self.ended += due > 0


@dataclass(frozen=True)
class Polled:
    """How viewers were served."""

    answers: int
    failed: int  # no success, no answer before the next poll was due, or a connection that ended
    p50_ms: float
    p99_ms: float


class Viewers:
    """Viewers of *url*, each with a connection of its own; each sends *request* every *every_s* seconds."""

    def __init__(self, url: str, request: Request, count: int, every_s: float = 2.0) -> None:
        self._every_s = every_s
        per_s = count / every_s if count else 0.0
        self._loop = OpenLoop(url, request, per_s, connections=count, patience_s=every_s, is_patient=False)

    def close(self) -> None:
        """End their connections."""
        self._loop.close()

    def poll(self, seconds: float) -> Polled:
        """Let each come and poll once, and then poll for so long, which is what counts."""
        loop = self._loop
        loop.run(self._every_s)
        loop.forget()
        loop.run(seconds)
        answers, waits = loop.statuses[200], sorted(loop.waits_s)
        failed = len(waits) - answers + loop.ended + loop.gave_up
        if not waits:
            return Polled(0, failed, inf, inf)
        return Polled(answers, failed, waits[len(waits) // 2] * 1000, waits[len(waits) * 99 // 100] * 1000)
