import os
import shutil
from collections.abc import Callable
from random import Random

import container_engine
import pytest

from torture import page
from torture.harness import Scenario
from torture.rows import ROWS


@pytest.mark.timeout(600)
@pytest.mark.parametrize("scenario", [pytest.param(one, id=one.name) for one in ROWS if one.short])
def test_it_holds(scenario: Scenario, require: Callable[[bool, str], None]) -> None:
    for tool in scenario.tools:
        require(shutil.which(tool) is not None, f"needs {tool}")
    if "docker" in scenario.tools:
        missing = container_engine.missing()
        require(not missing, missing)
    seed = os.environ.get("TORTURE_SEED", "1")
    found = scenario.run(scenario.short, Random(f"{seed} {scenario.name}"))
    assert found.broken == []  # found.late is for machines that nobody else uses


def test_the_documents_table_is_of_the_newest_results() -> None:
    assert page.table(ROWS) in page.DOCUMENT.read_text()
