"""An engine that answers, and compose projects in copies of this clone, which end with the tests."""

from collections.abc import Callable, Iterator
from pathlib import Path
from uuid import uuid4

import container_engine
import pytest
from container_engine import Compose, copy_clone, run
from served import free_ports


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Give the tests of this folder ten minutes each: the first one builds the image."""
    for item in items:
        if item.path.is_relative_to(Path(__file__).parent):
            item.add_marker(pytest.mark.timeout(600))


@pytest.fixture(scope="session")
def engine(require: Callable[[bool, str], None]) -> None:
    """A container engine that answers, with Compose."""
    missing = container_engine.missing()
    require(not missing, missing)


@pytest.fixture(scope="session")
def new_compose(
    engine: None,  # noqa: ARG001 -- asked for its refusal
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Callable[[], Compose]]:
    """Make compose projects, each in a copy of the clone, not yet built. They end with the session."""
    made = []

    def make() -> Compose:
        project = f"tidegauge-test-{uuid4().hex[:8]}"
        made.append(Compose(copy_clone(tmp_path_factory.mktemp("clone")), project, free_ports()))
        return made[-1]

    yield make
    for one in made:
        one.try_("down", "--volumes", "--timeout", "5")
        run("docker", "image", "rm", one.image)


@pytest.fixture(scope="session")
def compose(new_compose: Callable[[], Compose]) -> Compose:
    """The project that most tests share, its image built."""
    project = new_compose()
    project("build")
    return project


@pytest.fixture
def running(compose: Compose) -> Compose:
    """The shared project, up and healthy with the default settings."""
    compose.up()
    return compose
