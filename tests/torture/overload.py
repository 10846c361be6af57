"""More pushes than there is time for, and every viewer at once."""

import asyncio
import os
import re
import selectors
import signal
import socket
import time
from collections import Counter, deque
from dataclasses import dataclass, field
from http.client import HTTPException
from random import Random

from bench import wrk
from served import Served
from torture.harness import Found, Scenario, wait_until
from torture.load import AUTH, POLL, Client, load, serving

TIMES = 3  # as much as it can take
CONNECTIONS = 16  # by which that is measured
PATIENCE_S = 5.0  # after which a client gives up
GOODPUT = 0.9  # of what it can take
NORMAL_S = 5.0
VIEWERS, VIEWERS_S = 1_000, 60.0
PUSH = wrk.Request("/api/series", "POST", AUTH, b'{"name": "overload", "value": 1.5}')
HEAD = f"POST {PUSH.path} HTTP/1.1\r\nHost: localhost\r\nAuthorization: {AUTH['Authorization']}\r\n"
SENT = f"{HEAD}Content-Length: {len(PUSH.body)}\r\n\r\n".encode() + PUSH.body


class _Agent:
    """A connection, and the answer to the push that is on its way."""

    def __init__(self) -> None:
        self.due = 0.0  # of the push that is not answered; 0.0 if there is none
        self.received = b""
        self.socket = socket.socket()
        self.socket.setblocking(False)

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
    """Pushes at a steady rate, whether those before are answered or not; a new connection where none is idle."""

    server: Served
    per_s: float
    statuses: Counter[int] = field(default_factory=Counter)
    waits_s: list[float] = field(default_factory=list)  # of all that were answered
    no_retry_after: int = 0  # refusals that do not say when to come again
    refused: int = 0  # connections that were not taken, or ended without an answer
    gave_up: int = 0
    _idle: list[_Agent] = field(default_factory=list)
    _waiting: deque[tuple[float, _Agent]] = field(default_factory=deque)
    _selector: selectors.BaseSelector = field(default_factory=selectors.DefaultSelector)

    def run(self, seconds: float) -> None:
        """Push for so long, and wait for the last answers."""
        due, ends = time.monotonic(), time.monotonic() + seconds
        while (now := time.monotonic()) < ends:
            while due <= now:
                self._send(due)
                due += 1 / self.per_s
            self._receive(max(0.0, due - time.monotonic()))
            self._give_up()
        while self._waiting:
            self._receive(0.01)
            self._give_up()
        for one in self._idle:
            one.socket.close()
        self._selector.close()

    def _send(self, due: float) -> None:
        one = self._idle.pop() if self._idle else self._connect()
        one.due = due
        self._waiting.append((due, one))
        try:
            one.socket.send(SENT)
        except BlockingIOError:  # not connected yet
            self._selector.modify(one.socket, selectors.EVENT_WRITE, one)
        except OSError:
            self._end(one)

    def _connect(self) -> _Agent:
        one = _Agent()
        one.socket.connect_ex(("127.0.0.1", self.server.port))
        self._selector.register(one.socket, selectors.EVENT_READ, one)
        return one

    def _receive(self, timeout_s: float) -> None:
        for key, events in self._selector.select(timeout_s):
            one: _Agent = key.data
            try:
                if events & selectors.EVENT_WRITE:
                    one.socket.send(SENT)
                    self._selector.modify(one.socket, selectors.EVENT_READ, one)
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
        self.waits_s.append(time.monotonic() - one.due)
        self.no_retry_after += status in {429, 503} and b"\r\nRetry-After: " not in head
        one.due = 0.0
        if b"\r\nConnection: close" in head:
            self._end(one)
        else:
            self._idle.append(one)

    def _give_up(self) -> None:
        while self._waiting and (not self._waiting[0][1].due or self._waiting[0][0] < time.monotonic() - PATIENCE_S):
            due, one = self._waiting.popleft()
            if one.due == due:
                self.gave_up += 1
                one.due = 0.0
                self._end(one)

    def _end(self, one: _Agent) -> None:
        self.refused += one.due > 0
        one.due = 0.0
        self._selector.unregister(one.socket)
        one.socket.close()
        if one in self._idle:
            self._idle.remove(one)
