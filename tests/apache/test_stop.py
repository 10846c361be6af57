"""How the host way's Apache stops, restarts and says so."""

import os
import shutil
import signal
import subprocess
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from threading import Event
from time import sleep

import served
from served import Answer, Served

from tidegauge.server.vitals import apache_status


def test_a_stop_lets_a_request_finish_and_a_start_has_nothing_to_complain_of(
    server: Served, eventually: Callable[..., None]
) -> None:
    """The daemon process is frozen with a request in its hands until Apache has closed its door."""
    status_page = f"http://127.0.0.1:{server.port + 1}/server-status?auto"
    pid = server.daemon_pid
    os.kill(pid, signal.SIGSTOP)
    with ThreadPoolExecutor(2) as pool:
        held = pool.submit(server.ask, "/explore/?held")
        eventually(lambda: apache_status(status_page)["BusyWorkers"] > 1)  # the other one asks for this
        stop = pool.submit(server.command, "stop")
        try:
            eventually(lambda: _is_closed(server))
            assert not held.done()
        finally:
            os.kill(pid, signal.SIGCONT)
        assert held.result().status == 200
        assert held.result().body.rstrip().endswith(b"</html>")
        assert "stopped" in stop.result()
    logged = len(server.log)
    server.command("start")
    assert server.ask("/dashboard/").status == server.ask("/feeds/server/tail.json").status == 200
    messages = [line for line in server.log[logged:].splitlines() if line.startswith("[")]
    assert [line for line in messages if ":notice]" not in line] == []


def test_a_graceful_restart_fails_no_poll_and_nothing_that_is_asked_twice(
    server: Served, eventually: Callable[..., None]
) -> None:
    """For some milliseconds Apache's old children have no socket to Python (503), or one that it has left (502)."""
    pid, done = server.daemon_pid, Event()
    polls: list[Answer] = []
    answers: list[Answer] = []

    def ask() -> None:
        while not done.is_set():
            polls.append(server.ask("/feeds/server/tail.json"))
            answer = server.ask("/data/", "POST")
            if answer.status in {502, 503}:
                sleep(float(answer.headers["Retry-After"]))
                answer = server.ask("/data/", "POST")
            answers.append(answer)

    with ThreadPoolExecutor(4) as pool:
        asking = [pool.submit(ask) for _ in range(4)]
        try:
            os.kill(int((server.run / "apache.pid").read_text()), signal.SIGUSR1)
            eventually(lambda: server.daemon_pid != pid, within_s=20)
            server.wait_ready()
        finally:
            done.set()
        for one in asking:
            one.result()
    assert {answer.status for answer in polls} == {200}
    assert {answer.status for answer in answers} == {200}


def test_a_stop_while_apache_restarts_is_not_lost(server: Served) -> None:
    os.kill(int((server.run / "apache.pid").read_text()), signal.SIGHUP)
    assert "stopped" in server.command("stop")
    server.command("start")


def test_a_port_that_is_taken_is_said_and_no_success(server: Served) -> None:
    """Somebody else's answers on that port are not taken for ours."""
    run = f"{server.run}-other"
    environ = server.environ | {"TIDEGAUGE_RUN": run}
    done = subprocess.run([served.ROOT / "apache/serve", "start"], env=environ, capture_output=True, text=True)
    shutil.rmtree(run)
    assert done.returncode == 1
    assert f"port {server.port} or {server.port + 1} is taken" in done.stderr
    assert server.is_ready()


def _is_closed(server: Served) -> bool:
    try:
        server.ask("/feeds/server/tail.json")
    except OSError:
        return True
    return False
