"""Pushes at a rate that does not ask whether those before are answered: an open loop."""

import re
import selectors
import socket
import time
from collections import Counter, deque
from dataclasses import dataclass, field

from served import Served

from torture.load import AUTH

URL, BODY = "/api/series", b'{"name": "overload", "value": 1.5}'
SENT = (
    f"POST {URL} HTTP/1.1\r\nHost: localhost\r\nAuthorization: {AUTH['Authorization']}\r\n"
    f"Content-Length: {len(BODY)}\r\n\r\n"
).encode() + BODY
PATIENCE_S = 10.0  # after which a client gives up
MOST = 10_000  # connections at once; whoever finds no room among them gives up at once


class _Agent:
    """A connection, and the answer to the push that is on its way."""

    def __init__(self, port: int) -> None:
        self.sent_at = 0.0  # of the push that is not answered; 0.0 if there is none
        self.answers = 0
        self.received = b""
        self.socket = socket.socket()
        self.socket.setblocking(False)
        self.socket.connect_ex(("127.0.0.1", port))

    def answer(self) -> tuple[int, bytes] | None:
        """Return the status and head of the answer, once it is whole."""
        head, end, body = self.received.partition(b"\r\n\r\n")
        length = re.search(rb"(?i)\r\ncontent-length: (\d+)", head)
        if not end or len(body) < (int(length[1]) if length else 0):
            return None
        self.received = b""
        return int(head[9:12]), head


@dataclass
class Offer:
    """What is offered, over a new connection where none is idle; and what came of it."""

    server: Served
    per_s: float
    sent: int = 0
    statuses: Counter[int] = field(default_factory=Counter)
    no_retry_after: int = 0  # refusals that do not say when to come again
    ended: int = (
        0  # connections that were not taken, or ended without an answer, but for idle ones: those are sent again
    )
    gave_up: int = 0
    slowest_s: float = 0.0
    _idle: dict[_Agent, None] = field(default_factory=dict)
    _waiting: deque[tuple[float, _Agent]] = field(default_factory=deque)
    _selector: selectors.BaseSelector = field(default_factory=selectors.DefaultSelector)

    def run(self, seconds: float) -> None:
        """Push for so long, and wait for the last answers."""
        started = time.monotonic()
        while (passed := time.monotonic() - started) < seconds:
            while self.sent < passed * self.per_s:
                self.sent += 1
                if self._idle:
                    self._send(self._idle.popitem()[0])
                elif len(self._selector.get_map()) < MOST:
                    self._send(self._connect())
                else:
                    self.gave_up += 1
            self._receive(1 / self.per_s)
            self._give_up()
        while self._waiting:
            self._receive(0.01)
            self._give_up()
        for one in list(self._idle):
            self._end(one)
        self._selector.close()

    def _connect(self) -> _Agent:
        one = _Agent(self.server.port)
        self._selector.register(one.socket, selectors.EVENT_READ, one)
        return one

    def _send(self, one: _Agent) -> None:
        one.sent_at = time.monotonic()
        self._waiting.append((one.sent_at, one))
        try:
            one.socket.send(SENT)
        except BlockingIOError:  # not connected yet
            self._selector.modify(one.socket, selectors.EVENT_WRITE, one)
        except OSError:
            self._end(one)

    def _receive(self, timeout_s: float) -> None:
        for key, events in self._selector.select(timeout_s):
            one: _Agent = key.data
            try:
                if events & selectors.EVENT_WRITE:
                    self._selector.modify(one.socket, selectors.EVENT_READ, one)
                    one.socket.send(SENT)
                    continue
                part = one.socket.recv(1 << 16)
            except OSError:
                part = b""
            one.received += part
            if not part:
                self._end(one)
            elif answer := one.answer():
                self._note(one, *answer)

    def _note(self, one: _Agent, status: int, head: bytes) -> None:
        self.statuses[status] += 1
        self.slowest_s = max(self.slowest_s, time.monotonic() - one.sent_at)
        self.no_retry_after += status in {429, 503} and b"\r\nRetry-After: " not in head
        one.sent_at = 0.0
        one.answers += 1
        if b"\r\nConnection: close" in head:
            self._end(one)
        else:
            self._idle[one] = None

    def _give_up(self) -> None:
        """Take those off the list that are answered, and those that are not in time."""
        while self._waiting:
            sent_at, one = self._waiting[0]
            if one.sent_at == sent_at:
                if time.monotonic() - sent_at < PATIENCE_S:
                    return
                self.gave_up += 1
                one.sent_at = 0.0
                self._end(one)
            self._waiting.popleft()

    def _end(self, one: _Agent) -> None:
        self._selector.unregister(one.socket)
        one.socket.close()
        self._idle.pop(one, None)
        unanswered, one.sent_at = one.sent_at > 0, 0.0
        if unanswered and one.answers:  # it was ended while it was idle, as the push set out
            self._send(self._connect())
        else:
            self.ended += unanswered
