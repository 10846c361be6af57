import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable

import pytest
from served import ROOT

from bench import readme, report, scale


@pytest.mark.timeout(600)
def test_every_contender_answers_rightly(require: Callable[[bool, str], None]) -> None:
    for tool in ("nginx", "influxd", "carbon-cache", "wrk"):
        require(shutil.which(tool) is not None, f"needs {tool}: make contenders")
    environ = os.environ | {"QUICK": "1", "PYTHONPATH": str(ROOT / "tests")}
    done = subprocess.run([sys.executable, "-m", "bench"], cwd=ROOT, env=environ, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    for title in (
        "An update for one viewer",
        "Opening a dashboard",
        "Samples in",
        "Polls at saturation",
        "In the browser",
    ):
        assert title in done.stdout


def test_the_readmes_table_and_chart_are_of_the_newest_results() -> None:
    machine = json.loads(report.RESULTS.read_text())["machine"]
    assert readme.section(report.load(), machine) in readme.README.read_text()
    assert readme.chart(report.load()) == readme.CHART.read_text()


def test_the_page_on_scale_is_of_the_newest_results() -> None:
    assert scale.document(report.load()) == scale.DOCUMENT.read_text()
