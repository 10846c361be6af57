"""A host that gives little: a log that nobody reads, few file descriptors, few threads, little memory."""

import fcntl
import os
import pwd
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager, suppress
from http.client import HTTPConnection
from random import Random
from socket import create_connection
from threading import Thread

from container_engine import docker
from container_engine import run as run_command
from served import TOKENS, Served, free_ports

from torture.container import composed
from torture.foreground import foreground
from torture.harness import Found, Scenario, wait_until
from torture.load import AUTH, POLL, Load, load, serving

FILES, THREADS, MEMORY_MB = 64, 256, 256
CONNECTIONS = 200  # of viewers: more than there are file descriptors
SHORT = 4  # threads that a new Python process has less than the one before
CROWD = 400  # requests at once that hold a worker each
BODIES, BODY_LINES = 12, 300_000  # of 8 MB each
FOR_S = 8.0
ENDED = "process 'tidegauge'"  # in what is said of requests that it had
KILL = "read -r pid </run/tidegauge/daemon.pid && kill -9 $pid"  # without a fork
Attack = Callable[[Served], None]
Log = Callable[[], str]


def run(rounds: int, random: Random) -> Found:
    """Serve within each limit in turn, ask for more than it allows, and look whether all is well again afterwards."""
    found = Found()
    for limit in (_files, _log, _threads, _memory)[:rounds]:
        limit(random, found)
        found.count("limits")
    return found


def _files(_random: Random, found: Found) -> None:
    def attack(server: Served) -> None:
        with ExitStack() as stack:
            for _ in range(CONNECTIONS):
                with suppress(OSError):
                    viewer = stack.enter_context(create_connection(("127.0.0.1", server.port), timeout=5))
                    viewer.sendall(b"GET %s HTTP/1.1\r\nHost: localhost\r\n\r\n" % POLL.encode())
            time.sleep(FOR_S)

    through = ("prlimit", f"--nofile={FILES}:{FILES}")
    with serving() as server, foreground(server, through=through):
        _within(f"{FILES} file descriptors", server, attack, lambda: server.log, "Too many open files", found)


def _log(_random: Random, found: Found) -> None:
    with serving() as server, _pipe() as (read_end, write_end), foreground(server, output=write_end):
        drained: list[bytes] = []
        drain = Thread(target=_drain, args=(read_end, drained))

        def attack(_server: Served) -> None:
            filler = os.open(f"/proc/self/fd/{write_end}", os.O_WRONLY | os.O_NONBLOCK)
            with suppress(BlockingIOError):
                while True:
                    os.write(filler, b"x")
            os.close(filler)
            time.sleep(FOR_S)
            drain.start()

        _within("a log that nobody reads", server, attack, lambda: b"".join(drained).decode(), "POST", found)
    drain.join()


@contextmanager
def _pipe() -> Iterator[tuple[int, int]]:
    """A pipe that the server's user may open; its writing end is closed at the end here, and by Apache's end."""
    read_end, write_end = os.pipe()
    fcntl.fcntl(write_end, fcntl.F_SETPIPE_SZ, 4096)
    if os.geteuid() == 0:
        user = pwd.getpwnam("tidegauge")
        os.fchown(write_end, user.pw_uid, user.pw_gid)
    try:
        yield read_end, write_end
    finally:
        os.close(write_end)


def _drain(read_end: int, drained: list[bytes]) -> None:
    while part := os.read(read_end, 65536):
        drained.append(part)
    os.close(read_end)


def _threads(_random: Random, found: Found) -> None:
    """Few from the start; then for a time fewer than there are at rest, and a new Python process."""

    def crowd(server: Served) -> None:
        with ThreadPoolExecutor(CROWD) as pool:
            for n in range(CROWD):
                pool.submit(_get, server, f"/explore/?crowd={n}")

    with _container(f"--pids-limit={THREADS}") as (server, container):
        server.wait_ready()
        _within(f"{THREADS} threads", server, crowd, lambda: docker("logs", container), "tasks are allowed", found)

    def attack(server: Served) -> None:
        crowd(server)
        wait_until(lambda: run_command("docker", "exec", container, "bash", "-c", KILL).status == 0, 30)
        time.sleep(FOR_S)
        docker("update", f"--pids-limit={10 * threads}", container)

    with _container() as (server, container):
        server.wait_ready()
        threads = len(docker("top", container, "-eL", "-o", "pid,lwp").splitlines()) - 1
        docker("update", f"--pids-limit={threads - SHORT}", container)
        found.counted["threads at rest"] = threads
        _within(f"{SHORT} threads short", server, attack, lambda: docker("logs", container), "start new thread", found)


def _get(server: Served, path: str) -> None:
    connection = HTTPConnection("127.0.0.1", server.port, timeout=30)
    with suppress(OSError):
        connection.request("GET", path)
        connection.getresponse().read()
    connection.close()


def _memory(random: Random, found: Found) -> None:
    body = "\n".join(f"m{random.randrange(900)} v={n} {time.time_ns()}" for n in range(BODY_LINES)).encode()

    def attack(server: Served) -> None:
        with ThreadPoolExecutor(BODIES) as pool:
            for _ in range(2 * BODIES):
                pool.submit(_push, server, body)

    limits = (f"--memory={MEMORY_MB}m", f"--memory-swap={MEMORY_MB}m")
    with _container(*limits) as (server, container):
        server.wait_ready()
        name = f"{MEMORY_MB} MB of memory"
        _within(name, server, attack, lambda: docker("logs", container), ENDED, found)


def _push(server: Served, body: bytes) -> None:
    with suppress(OSError):
        server.ask("/api/v2/write", "POST", body, **AUTH)


@contextmanager
def _container(*limits: str) -> Iterator[tuple[Served, str]]:
    with composed() as compose:
        port = free_ports()
        published = f"--publish=127.0.0.1:{port}:8080"
        container = docker("run", "--detach", published, f"--env=TIDEGAUGE_PUSH_TOKEN={TOKENS}", *limits, compose.image)
        try:
            yield Served(port, {}), container
        finally:
            docker("rm", "--force", "--volumes", container)


def _within(name: str, server: Served, attack: Attack, log: Log, sentence: str, found: Found) -> None:
    """Attack under load. Then pushes and polls have to be answered again, and the log has to have the *sentence*."""
    with load(server) as running:
        wait_until(lambda: running.pushes.good > 10 and running.polls.good > 10, 30)
        kept, polled = running.pushes.good, running.polls.good
        attack(server)
        found.count(f"{name}: acknowledged meanwhile", running.pushes.good - kept)
        found.count(f"{name}: polls meanwhile", running.polls.good - polled)
        before = running.pushes.good, running.polls.good
        took = wait_until(
            lambda: running.pushes.good > before[0] + 8 and running.polls.good > before[1] + 8 and server.is_ready(), 60
        )
        found.longest("longest until well again, s", took)
        found.expect(took <= 60, f"{name}: not well again within 60 s")
    _judge(name, running, found)
    found.expect(wait_until(lambda: sentence in log(), 10) < 10, f"{name}: the log does not say {sentence!r}")


def _judge(name: str, running: Load, found: Found) -> None:
    found.count(f"{name}: pushes failed", sum(running.pushes.failed.values()))
    found.count(f"{name}: polls failed", sum(running.polls.failed.values()))
    found.broken += [f"{name}: {one}" for one in running.wrong()]


SCENARIO = Scenario(
    16,
    "limits",
    f"{FILES} file descriptors, a log that nobody reads, {THREADS} threads, {MEMORY_MB} MB of memory, and more asked",
    "nothing acknowledged is lost; the log says what is short; all is well again afterwards",
    run,
    short=2,
    long=4,
    tools=("prlimit", "docker"),
)
