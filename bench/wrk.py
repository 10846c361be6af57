"""Load by wrk: as many requests as a server answers, over connections that stay open."""

import json
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory

CONNECTIONS = 64
LOST = 200  # a server of the stock settings ends a connection after so many requests, at times in mid-air
# wrk's own language: https://github.com/wg/wrk/blob/master/SCRIPTING. Requests are made once, and sent in turn.
SCRIPT = """
local requests, turn, thread = {}, 0, nil
answers, broken = 0, 0
function setup(one) thread = one end
function init()
    for _, one in ipairs(%s) do table.insert(requests, wrk.format(one[1], one[2], one[3], one[4])) end
end
function request()
    turn = turn %% #requests + 1
    return requests[turn]
end
%s
function done(summary, latency)
    local errors = summary.errors
    io.write(string.format(
        '\\n{"requests": %%d, "seconds": %%f, "bytes": %%d, "p50_ms": %%f, "p99_ms": %%f, "refused": %%d, "lost": %%d, '
        .. '"answers": %%d, "broken": %%d}',
        summary.requests, summary.duration / 1e6, summary.bytes, latency:percentile(50) / 1e3,
        latency:percentile(99) / 1e3, errors.status, errors.connect + errors.read + errors.write + errors.timeout,
        thread:get("answers"), thread:get("broken")))
end
"""
# A feed is padded by spaces, and says how long it is. Looking at each body costs wrk half of its speed.
WHOLE = """
function response(status, headers, body)
    answers = answers + 1
    if status ~= 200 or #body ~= tonumber(headers["Content-Length"])
        or not body:match('^{"epoch":.*%]} *$') or body:find("%z") then broken = broken + 1 end
end
"""


@dataclass(frozen=True)
class Request:
    """What is sent."""

    path: str
    method: str = "GET"
    headers: dict[str, str] = field(default_factory=dict)
    body: bytes = b""


@dataclass(frozen=True)
class Load:
    """What came of it. ``broken`` counts bodies that are no whole feed, where they were looked at."""

    requests: int
    seconds: float
    bytes: int
    p50_ms: float
    p99_ms: float
    refused: int
    lost: int
    answers: int
    broken: int

    @property
    def per_s(self) -> float:
        """Requests answered a second."""
        return self.requests / self.seconds


def run(
    url: str,
    requests: Sequence[Request],
    seconds: float,
    *,
    connections: int = CONNECTIONS,
    whole: bool = False,
    closes: bool = False,
) -> Load:
    """Send *requests* in turn to the server at *url* for *seconds*.

    Args:
        whole: look whether each body is a whole feed.
        closes: the server ends each connection, which wrk counts as lost.

    Raises:
        RuntimeError: an answer was no success, or more than one in LOST did not come.
    """
    wanted = ", ".join(map(_table, requests))
    with TemporaryDirectory() as folder:
        script = Path(folder, "requests.lua")
        script.write_text(SCRIPT % (f"{{{wanted}}}", WHOLE if whole else ""))
        command = ["wrk", "-t1", f"-c{connections}", f"-d{seconds:g}s", "--timeout", "10s", "-s", str(script), url]
        printed = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    load = Load(**json.loads(printed.splitlines()[-1]))
    if load.refused or (load.lost * LOST > load.requests and not closes):
        raise RuntimeError(f"{url} failed under load:\n{printed}")
    return load


def _table(one: Request) -> str:
    headers = ", ".join(f"[{_lua(name)}]={_lua(value)}" for name, value in one.headers.items())
    return f"{{{_lua(one.method)}, {_lua(one.path)}, {{{headers}}}, {_lua(one.body.decode()) if one.body else 'nil'}}}"


def _lua(text: str) -> str:
    return json.dumps(text, ensure_ascii=False)  # a Lua string is written like one of JSON, as long as it is ASCII
