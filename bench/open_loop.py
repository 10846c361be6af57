"""Viewers who poll at their own pace, however slow the server is: an open loop.

Each has a connection that stays open. An answer's time counts from the moment at which the poll was due, so a server
that falls behind cannot hide it, and neither can this generator.
"""

import selectors
import socket
import time
from dataclasses import dataclass
from math import inf
from urllib.parse import urlsplit

from bench.wrk import Request


@dataclass(frozen=True)
class Polled:
    """How the viewers were served."""

    answers: int
    failed: int  # no success, no answer before the next poll was due, or a connection that ended
    p50_ms: float
    p99_ms: float


class _Viewer:
    def __init__(self) -> None:
        self.due = 0.0  # of the poll that is not answered; 0.0 if there is none
        self.received = b""
        self.socket: socket.socket | None = None

    def is_answered(self) -> bool | None:
        """Tell whether the answer is whole, and a success; None: not yet."""
        head, end, body = self.received.partition(b"\r\n\r\n")
        if not end:
            return None
        length = int(head.lower().partition(b"content-length:")[2].split(b"\r\n")[0])
        if len(body) < length:
            return None
        self.received = b""
        return head[9:12] == b"200"


class Viewers:
    """Viewers of *url*, each sending *request* every *every_s* seconds, evenly spread."""

    def __init__(self, url: str, request: Request, count: int, every_s: float = 2.0) -> None:
        parts = urlsplit(url)
        self._address = (parts.hostname or "", parts.port or 80)
        head = f"{request.method} {request.path} HTTP/1.1\r\nHost: {parts.netloc}\r\n"
        head += "".join(f"{name}: {value}\r\n" for name, value in request.headers.items())
        if request.method != "GET":
            head += f"Content-Length: {len(request.body)}\r\n"
        self._sent = head.encode() + b"\r\n" + request.body
        self._every_s = every_s
        self._selector = selectors.DefaultSelector()
        self._viewers = [_Viewer() for _ in range(count)]
        self._waits: list[float] = []
        self._failed = 0

    def close(self) -> None:
        """End their connections."""
        for one in self._viewers:
            self._disconnect(one)
        self._selector.close()

    def poll(self, seconds: float) -> Polled:
        """Let each come and poll once, and then poll for so long, which is what counts."""
        self._run(self._every_s)
        self._waits, self._failed = [], 0
        self._run(seconds)
        waits = sorted(self._waits)
        if not waits:
            return Polled(0, self._failed, inf, inf)
        middle, slowest = waits[len(waits) // 2], waits[len(waits) * 99 // 100]
        return Polled(len(waits), self._failed, middle * 1000, slowest * 1000)

    def _run(self, seconds: float) -> None:
        apart = self._every_s / len(self._viewers)
        started = time.perf_counter()
        for number in range(round(seconds / apart)):
            due = started + number * apart
            while True:  # what has come is taken even if the next poll is due
                self._receive(max(0.0, due - time.perf_counter()))
                if time.perf_counter() >= due:
                    break
            self._send(self._viewers[number % len(self._viewers)], due)
        deadline = time.perf_counter() + self._every_s
        while any(one.due for one in self._viewers) and time.perf_counter() < deadline:
            self._receive(0.1)

    def _send(self, one: _Viewer, due: float) -> None:
        try:
            if one.due:
                raise TimeoutError("the last poll is not answered yet")
            if one.socket is None:
                one.socket = socket.create_connection(self._address, self._every_s)
                one.socket.setblocking(False)
                self._selector.register(one.socket, selectors.EVENT_READ, one)
            one.due = due
            one.socket.sendall(self._sent)
        except OSError:
            self._fail(one)

    def _receive(self, timeout_s: float) -> None:
        for key, _ in self._selector.select(timeout_s):
            one: _Viewer = key.data
            try:
                received = key.fileobj.recv(1 << 18)  # type: ignore[union-attr]
            except OSError:
                received = b""
            one.received += received
            answered = one.is_answered()
            if answered:
                self._waits.append(time.perf_counter() - one.due)
                one.due = 0.0
            elif answered is False or not received:
                self._fail(one)

    def _fail(self, one: _Viewer) -> None:
        self._failed += 1
        self._disconnect(one)

    def _disconnect(self, one: _Viewer) -> None:
        if one.socket:
            self._selector.unregister(one.socket)
            one.socket.close()
        one.socket, one.due, one.received = None, 0.0, b""
