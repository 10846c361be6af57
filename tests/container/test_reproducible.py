"""The same code gives the same layers.

Of the image's layers these differ from build to build, and why:

Debian's packages   apt takes the newest; dpkg's database, /etc/shadow and the folders carry the time of the build
users               /etc/shadow, the same
the list of parts   says when it was made, under a number of its own
the check at last   leaves two files in /run

The virtual environment is the same as long as my-dashboards/requirements.txt pins what it names; with the packages
downloaded and mod_wsgi built anew this was seen by

    docker buildx build --no-cache-filter packages,builder,tidegauge .
"""

import json
import os
from collections.abc import Callable

from container_engine import Compose, docker, run

# As the Dockerfile copies them, counted from the end: venv, application, list, working folder, check.
VENV, APPLICATION = -5, -4


def layers(image: str) -> list[str]:
    found: list[str] = json.loads(docker("image", "inspect", "--format", "{{json .RootFS.Layers}}", image))
    return found


def test_another_clone_built_anew_gives_the_same_layers_of_code(
    compose: Compose, new_compose: Callable[[], Compose], require: Callable[[bool, str], None]
) -> None:
    require("--no-cache-filter" in run("docker", "buildx", "build", "--help").output, "docker buildx 0.8 is not there")
    other = new_compose()
    for path in (
        other.folder / "tidegauge",
        *(other.folder / "tidegauge").rglob("*"),
    ):  # as below umask 077, and at another time
        path.chmod(0o700 if path.is_dir() else 0o600)
        os.utime(path, (1e9, 1e9))
    build = ["docker", "buildx", "build", "--no-cache-filter", "builder,tidegauge", "--tag", other.image, "."]
    status, output = run(*build, cwd=other.folder, within_s=500)
    assert status == 0, output[-3000:]
    first, second = layers(compose.image), layers(other.image)
    assert first[-1] != second[-1]  # else nothing was built
    assert (first[VENV], first[APPLICATION]) == (second[VENV], second[APPLICATION])
