"""The MDN HTTP Observatory, offline: how it scores each kind of answer over HTTPS."""

import json
import os
import re
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from served import ROOT, Served, free_ports

PACKAGE = ROOT / ".venv/observatory/node_modules/@mdn/mdn-http-observatory"
# 100 and all that can be earned: 10 for a policy without unsafe-, 10 for Cross-Origin-Resource-Policy, 5 each for
# frame-ancestors, Referrer-Policy and the hashes of scripts. 100 is an A+.
PAGES = ["/", "/dashboard/", "/dashboard/server/", "/dashboard/server/?embed", "/explore/", "/nothing"]
PAGES += ["/dashboard/server/table/", "/dashboard/nothing/"]
EXPECTED = dict.fromkeys(PAGES, 135)
# No page, so without the 5 for hashes.
EXPECTED |= dict.fromkeys(["/static/SCRIPT", "/static/nothing", "/api/series", "/health/ready", "/metrics"], 130)
# Nor has a feed a Referrer-Policy, as it leads nowhere and each header costs a poll's time.
EXPECTED |= dict.fromkeys(["/feeds/server/tail.json", "/feeds/server/window.json", "/feeds/front.json"], 125)
# For other origins, so without Cross-Origin-Resource-Policy's 10.
EXPECTED |= dict.fromkeys(["/embed.js", "/spark/process.cpu.svg"], 120)


@pytest.fixture(scope="module")
def scanned(secure: Served, require: Callable[[bool, str], None]) -> dict[str, Any]:
    require(shutil.which("node") is not None, "needs Node: apt-get install nodejs npm")
    require(PACKAGE.exists(), "needs the MDN HTTP Observatory: CI=true make develop")
    [script] = re.findall(r'src="\./(static/[^"]*/front\.js)"', secure.ask("/").body.decode())
    paths = [path.replace("static/SCRIPT", script) for path in EXPECTED]
    scan = Path(__file__).with_name("observatory.mjs")
    done = subprocess.run(
        ["node", scan, PACKAGE, str(secure.port), str(free_ports()), *paths],
        env=os.environ | {"NODE_EXTRA_CA_CERTS": secure.certificate},
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return dict(zip(EXPECTED, json.loads(done.stdout).values(), strict=True))


@pytest.mark.parametrize(("path", "score"), EXPECTED.items())
def test_the_observatory_scores(scanned: dict[str, Any], path: str, score: int) -> None:
    assert scanned[path]["status"] == (404 if "nothing" in path else 200)
    assert scanned[path]["score"] == score, scanned[path]["modifiers"]
    assert [name for name, modifier in scanned[path]["modifiers"].items() if modifier < 0] == []
