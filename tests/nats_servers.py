"""Real NATS servers, one or a cluster of them: started, killed, stopped, cut off from each other, and started again."""

import json
import os
import shutil
import signal
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from tempfile import mkdtemp
from time import monotonic, sleep
from typing import Any
from urllib.request import urlopen

BINARY = Path(__file__).parent.parent / ".venv/bin/nats-server"
CLIENTS, MONITOR, CLUSTER = 4222, 8222, 6222  # ports; every server has an address of its own
NOWHERE = "02:00:00:00:00:01"  # an address of Ethernet that nobody has
_networks = count(1)


@dataclass
class Node:
    """One nats-server, in a network namespace of its own where ``namespace`` is not ""."""

    name: str
    address: str
    config: Path
    namespace: str = ""
    process: "subprocess.Popen[bytes] | None" = None

    @property
    def url(self) -> str:
        return f"nats://{self.address}:{CLIENTS}"

    def start(self) -> None:
        through = ["ip", "netns", "exec", self.namespace] if self.namespace else []
        with self.config.with_suffix(".log").open("ab") as log:
            self.process = subprocess.Popen([*through, BINARY, "-c", self.config], stdout=log, stderr=log)

    def signal(self, number: signal.Signals) -> None:
        assert self.process
        os.kill(self.process.pid, number)

    def kill(self) -> None:
        """kill -9; returns when it is gone."""
        assert self.process
        self.process.kill()
        self.process.wait()

    def ask(self, path: str) -> Any:
        """Return what its monitoring port says, None if nothing."""
        with suppress(OSError), urlopen(f"http://{self.address}:{MONITOR}/{path}", timeout=2) as answer:
            return json.load(answer)
        return None

    def is_well(self) -> bool:
        """Its JetStream answers, and has caught up with the others'."""
        return bool(self.ask("healthz") == {"status": "ok"})


@dataclass
class Servers:
    """All of them; ``url`` is for TIDEGAUGE_JOURNAL."""

    nodes: list[Node] = field(default_factory=list)

    @property
    def url(self) -> str:
        return "nats://" + ",".join(f"{node.address}:{CLIENTS}" for node in self.nodes)

    @property
    def urls(self) -> tuple[str, ...]:
        return tuple(node.url for node in self.nodes)

    def wait_well(self, within_s: float = 60) -> None:
        deadline = monotonic() + within_s
        while not all(node.is_well() for node in self.nodes):
            assert monotonic() < deadline, f"not well within {within_s} s"
            sleep(0.1)

    def leader(self, stream: str) -> Node:
        """Return the server that leads a stream; waits until there is one."""
        return next(node for node in self.nodes if node.name == self._of_leader(stream)["cluster"]["leader"])

    def last(self, stream: str) -> int:
        """Return the position of a stream's last message."""
        return int(self._of_leader(stream)["state"]["last_seq"])

    def bytes(self, stream: str) -> int:
        """Return what a stream's messages take in a store."""
        return int(self._of_leader(stream)["state"]["bytes"])

    def _of_leader(self, stream: str) -> Any:
        """Return what the server that leads a stream says of it."""
        deadline = monotonic() + 30
        while monotonic() < deadline:
            for node in self.nodes:
                said = node.ask("jsz?streams=true") or {}
                for account in said.get("account_details", []):
                    for one in account.get("stream_detail", []):
                        if one["name"] == stream and one.get("cluster", {}).get("leader") == node.name:
                            return one
            sleep(0.1)
        raise AssertionError(f"{stream} has no leader")

    @contextmanager
    def cut_off(self, one: Node) -> Iterator[None]:
        """Lose whatever *one* and the others send each other; clients still reach all."""
        others = [node for node in self.nodes if node is not one]
        pairs = [pair for other in others for pair in ((one, other), (other, one))]
        for here, there in pairs:
            _ip("-n", here.namespace, "neigh", "replace", there.address, "lladdr", NOWHERE, "dev", "eth0")
        try:
            yield
        finally:
            for here, there in pairs:
                _ip("-n", here.namespace, "neigh", "del", there.address, "dev", "eth0")


def next_network() -> str:
    """Return the first three numbers of addresses on the loopback that nobody else uses."""
    return f"127.{os.getpid() % 250}.{next(_networks)}"


@contextmanager
def running(servers: int, *, network: str = "", apart: bool = False, more: str = "") -> Iterator[Servers]:
    """Run so many, as a cluster if there are several.

    Args:
        network: the first three numbers of their addresses.
        apart: each in a network namespace of its own, so that they can be cut off. Needs root, and ip.
        more: configuration of each.
    """
    folder = Path(mkdtemp(prefix="tidegauge-nats-"))
    number = os.getpid() % 250
    network = f"10.231.{number}" if apart else network or next_network()
    addresses = [f"{network}.{10 + n}" for n in range(servers)]
    found = Servers()
    routes = ", ".join(f"nats://{one}:{CLUSTER}" for one in addresses)
    for n, one in enumerate(addresses):
        config = folder / f"n{n}.conf"
        together = f"cluster {{ name: tests, listen: '{one}:{CLUSTER}', routes: [{routes}] }}" if servers > 1 else ""
        config.write_text(
            f"server_name: n{n}\nlisten: '{one}:{CLIENTS}'\nhttp: '{one}:{MONITOR}'\n"
            f"jetstream {{ store_dir: '{folder}/n{n}' }}\n{together}\n{more}\n"
        )
        found.nodes.append(Node(f"n{n}", one, config, f"tidegauge-{number}-{n}" if apart else ""))
    try:
        if apart:
            _plug(number, found.nodes)
        for node in found.nodes:
            node.start()
        found.wait_well()
        yield found
    finally:
        for node in found.nodes:
            if node.process and node.process.poll() is None:
                node.signal(signal.SIGCONT)
                node.process.terminate()
        for node in found.nodes:
            if node.process:
                node.process.wait(10)
        if apart:
            _unplug(number, found.nodes)
        shutil.rmtree(folder)


def _plug(number: int, nodes: Sequence[Node]) -> None:
    """Give each node a namespace, and join all of them and this machine by a switch.

    That has a namespace as well: what this machine forwards may be filtered, as Docker does.
    """
    switch = f"tidegauge-{number}-switch"
    _ip("netns", "add", switch)
    _ip("-n", switch, "link", "add", "switch", "type", "bridge")
    _ip("-n", switch, "link", "set", "switch", "up")
    _ip("link", "add", f"tide{number}", "type", "veth", "peer", "name", "here", "netns", switch)
    _ip("-n", switch, "link", "set", "here", "master", "switch", "up")
    _ip("address", "add", f"10.231.{number}.1/24", "dev", f"tide{number}")
    _ip("link", "set", f"tide{number}", "up")
    for n, node in enumerate(nodes):
        _ip("netns", "add", node.namespace)
        _ip("-n", node.namespace, "link", "add", "eth0", "type", "veth", "peer", "name", f"port{n}", "netns", switch)
        _ip("-n", switch, "link", "set", f"port{n}", "master", "switch", "up")
        _ip("-n", node.namespace, "address", "add", f"{node.address}/24", "dev", "eth0")
        for device in ("lo", "eth0"):
            _ip("-n", node.namespace, "link", "set", device, "up")


def _unplug(number: int, nodes: Sequence[Node]) -> None:
    subprocess.run(["ip", "link", "delete", f"tide{number}"], check=False, capture_output=True)
    for namespace in (f"tidegauge-{number}-switch", *(node.namespace for node in nodes)):
        subprocess.run(["ip", "netns", "delete", namespace], check=False, capture_output=True)


def _ip(*command: str) -> None:
    done = subprocess.run(["ip", *command], check=False, capture_output=True, text=True)
    assert done.returncode == 0, f"ip {' '.join(command)}: {done.stderr}"
