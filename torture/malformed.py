"""Requests that two parsers could read in two ways, or that are none at all, each with a right one behind it."""

import io
import json
import re
import socket
from contextlib import suppress
from http.client import HTTPException, HTTPResponse
from random import Random

from served import Served

from torture.harness import Found, Scenario
from torture.load import POLL, Client, serving
from torture.shapes import FAMILIES, HOST, Shape

WAIT_S = 20.0  # longer than Apache waits for a body
CANARY = b"GET %s HTTP/1.1\r\n%sConnection: close\r\n\r\n" % (POLL.encode(), HOST)


class Metrics:
    """How many requests Python has had but for the readings of that number."""

    def __init__(self, server: Served) -> None:
        self._client = Client(server)
        self._readings = 0

    def others(self) -> int:
        """Return their number, once two readings agree: a request is counted when it has ended, after its answer."""
        last, read = -1, self._read()
        while read != last:
            last, read = read, self._read()
        return read

    def _read(self) -> int:
        text = self._client.ask("/metrics")[1]
        [count] = re.findall(rb"^tidegauge_python_requests_total (\S+)$", text, re.MULTILINE)
        self._readings += 1
        return int(float(count)) - self._readings


def run(rounds: int, random: Random) -> Found:
    """Send so many, of every family in turn."""
    found = Found()
    with serving() as server:
        metrics, poller = Metrics(server), Client(server)
        seen = metrics.others()
        for number in range(rounds):
            family = FAMILIES[number % len(FAMILIES)]
            shape = family(random)
            what = f"{family.__name__} {shape.sent[:200]!r}"
            _judge(shape, _send(server, shape.sent + CANARY, what, found), what, found)
            poller.close()
            found.expect(_is_feed(*poller.ask(POLL)), f"a poll on a new connection after {what} was answered wrongly")
            reached, seen = metrics.others() - seen, metrics.others()
            found.count("requests that reached Python", reached)
            found.expect(reached <= shape.python, f"{reached} requests reached Python by {what}")
        found.expect("Traceback" not in server.log, "there is a traceback in the log")
    return found


def _send(server: Served, sent: bytes, what: str, found: Found) -> bytes:
    """Send everything at once, and nothing after it; returns all that came back."""
    received = bytearray()
    with socket.create_connection(("127.0.0.1", server.port), timeout=WAIT_S) as connection:
        try:
            with suppress(ConnectionError):  # refused already; the answer is there
                connection.sendall(sent)
                connection.shutdown(socket.SHUT_WR)
            while part := connection.recv(1 << 16):
                received += part
        except ConnectionError:
            pass
        except TimeoutError:
            found.broken.append(f"the connection of {what} was not ended in {WAIT_S:g} s")
    return bytes(received)


class _Received(io.BytesIO):
    """Answers that came one after the other, as the library wants to read them: from a socket."""

    def makefile(self, _: str) -> "_Received":
        return self

    def close(self) -> None:
        """Stay open: after each answer the library would end it."""


def _answers(received: bytes) -> tuple[list[tuple[int, bytes]], bytes]:
    """Return status and body of each answer up to the last, the one that ends the connection; and what came after it.

    No client reads that: RFC 9112, 9.6.
    """
    stream, answers, ends = _Received(received), [], False
    while stream.tell() < len(received) and not ends:
        answer = HTTPResponse(stream)  # type: ignore[arg-type]
        answer.begin()
        answers.append((answer.status, answer.read()))
        ends = answer.will_close
    return answers, stream.read()


def _judge(shape: Shape, received: bytes, what: str, found: Found) -> None:
    try:
        answers, rest = _answers(received)
    except HTTPException as error:
        found.broken.append(f"{what} was answered by what is no HTTP ({error!r}): {received[:200]!r}")
        return
    first, behind, more = answers[:1], answers[1:2], answers[2:]
    found.count("requests")
    found.count("refused", any(status >= 400 for status, _ in first))
    found.count("ended without an answer", not first)
    found.count("answers with something behind their end", rest != b"")
    found.count("requests behind them answered", len(behind))
    found.expect(b"HTTP/1.1" not in rest, f"an answer came after the one that ends the connection, for {what}")
    for status, _ in first:
        found.expect(status >= 400 or status == shape.allowed, f"{status} for {what}")
    for status, body in behind:
        found.expect(_is_feed(status, body), f"{status} and {body[:100]!r} for the request behind {what}")
    found.expect(not more, f"{len(answers)} answers to {what} and the one behind it")


def _is_feed(status: int, body: bytes) -> bool:
    try:
        return status == 200 and {"epoch", "from", "to", "series"} <= json.loads(body).keys()
    except ValueError:
        return False


SCENARIO = Scenario(
    7,
    "malformed",
    "200 malformed requests, generated: two lengths, chunks, lines, versions, hosts, methods, paths, sizes; each with "
    "a right request behind it in the same write",
    "each is refused, by Python only where that is right, or the connection ends; the request behind it is answered "
    "rightly or not at all, and so is one on a new connection",
    run,
    short=110,
    long=200,
)
