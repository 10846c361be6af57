"""Viewers who poll at their own pace, however slow the server is: an open loop.

Each has a connection that stays open. An answer's time counts from the moment at which the poll was due, so a server
that falls behind cannot hide it, and neither can this generator.
"""

import selectors
import socket
import time
from dataclasses import dataclass
from urllib.parse import urlsplit

from bench.wrk import Request

CONNECT_S = 10.0


@dataclass(frozen=True)
class Polled:
    """How the viewers were served."""

    answers: int
    failed: int  # no success, no answer before the next poll was due, or a connection that ended
    p50_ms: float
    p99_ms: float


class _Viewer:
    def __init__(self, address: tuple[str, int]) -> None:
        self.address = address
        self.due = 0.0  # of the poll that is not answered; 0.0 if there is none
        self.received = b""
        self.socket = self.connect()

    def connect(self) -> socket.socket:
        self.received, self.due = b"", 0.0
        self.socket = socket.create_connection(self.address, CONNECT_S)
        self.socket.setblocking(False)  # noqa: FBT003
        return self.socket

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
    """Open viewers of *url*, each sending *request* every *every_s* seconds."""

    def __init__(self, url: str, request: Request, count: int, every_s: float = 2.0) -> None:
        parts = urlsplit(url)
        host, port = parts.hostname or "", parts.port or 80
        head = f"{request.method} {request.path} HTTP/1.1\r\nHost: {host}:{port}\r\n"
        head += "".join(f"{name}: {value}\r\n" for name, value in request.headers.items())
        if request.body or request.method != "GET":
            head += f"Content-Length: {len(request.body)}\r\n"
        self._sent = head.encode() + b"\r\n" + request.body
        self._every_s = every_s
        self._selector = selectors.DefaultSelector()
        self._viewers = [_Viewer((host, port)) for _ in range(count)]
        for one in self._viewers:
            self._selector.register(one.socket, selectors.EVENT_READ, one)

    def close(self) -> None:
        """End their connections."""
        self._selector.close()
        for one in self._viewers:
            one.socket.close()

    def poll(self, seconds: float) -> Polled:
        """Let them poll for so long, evenly spread."""
        waits: list[float] = []
        failed = number = 0
        apart = self._every_s / len(self._viewers)
        started = time.perf_counter()
        while True:
            now = time.perf_counter()
            due = started + number * apart
            if due - started >= seconds:
                break
            if now >= due:
                failed += not self._send(self._viewers[number % len(self._viewers)], due)
                number += 1
            # What has come is taken between two polls, so that neither holds up the other.
            for key, _ in self._selector.select(max(0.0, started + number * apart - time.perf_counter())):
                failed += not self._receive(key.data, waits)
        deadline = time.perf_counter() + self._every_s
        while any(one.due for one in self._viewers) and time.perf_counter() < deadline:
            for key, _ in self._selector.select(0.1):
                failed += not self._receive(key.data, waits)
        failed += sum(1 for one in self._viewers if one.due)
        waits.sort()
        if not waits:
            return Polled(0, failed, float("inf"), float("inf"))
        middle, slowest = waits[len(waits) // 2], waits[len(waits) * 99 // 100]
        return Polled(len(waits), failed, middle * 1000, slowest * 1000)

    def _send(self, one: _Viewer, due: float) -> bool:
        if one.due:  # the last is not answered yet
            return False
        one.due = due
        try:
            return one.socket.send(self._sent) == len(self._sent)
        except OSError:
            self._reconnect(one)
            return False

    def _receive(self, one: _Viewer, waits: list[float]) -> bool:
        try:
            received = one.socket.recv(1 << 18)
        except OSError:
            received = b""
        if not received:
            self._reconnect(one)
            return False
        one.received += received
        answered = one.is_answered()
        if answered is not None:
            waits.append(time.perf_counter() - one.due)
            one.due = 0.0
        return answered is not False

    def _reconnect(self, one: _Viewer) -> None:
        self._selector.unregister(one.socket)
        one.socket.close()
        self._selector.register(one.connect(), selectors.EVENT_READ, one)
