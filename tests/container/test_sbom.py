"""The image's bill of materials, held against the image."""

import json
import subprocess
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import pytest
from container_engine import Compose, docker
from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator

SITE = "/opt/tidegauge/venv/lib/python3.13/site-packages"


def in_image(compose: Compose, *command: str) -> str:
    return docker("run", "--rm", "--user", "0", "--entrypoint", command[0], compose.image, *command[1:])


def purls(sbom: dict[str, Any], kind: str) -> set[str]:
    """The package URLs of *kind*, without what follows the version."""
    found = (one.get("purl", "").partition("?")[0] for one in sbom["components"])
    return {unquote(purl) for purl in found if purl.startswith(f"pkg:{kind}/")}


@pytest.fixture(scope="module")
def text(compose: Compose) -> str:
    """What the README's command writes."""
    readme = (Path(__file__).parents[2] / "README.md").read_text()
    command = "run --rm --no-TTY --entrypoint cat tidegauge sbom.cdx.json"
    assert f"docker compose {command} >" in readme
    return subprocess.run(
        compose.command(*command.split()), cwd=compose.folder, env=compose.environment(), check=True,
        stdout=subprocess.PIPE, text=True,
    ).stdout  # fmt: skip


@pytest.fixture(scope="module")
def sbom(text: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(text)
    return found


def test_it_is_cyclonedx_1_6_by_its_schema(text: str) -> None:
    assert JsonStrictValidator(SchemaVersion.V1_6).validate_str(text) is None


def test_it_has_every_debian_package_and_no_other(compose: Compose, sbom: dict[str, Any]) -> None:
    show = "${db:Status-Abbrev} ${Package} ${Version}\\n"
    lines = (line.split() for line in in_image(compose, "dpkg-query", "--show", f"--showformat={show}").splitlines())
    assert purls(sbom, "deb") == {
        f"pkg:deb/debian/{name}@{version}" for status, name, version in lines if status == "ii"
    }


def test_it_has_every_python_package_and_no_other(compose: Compose, sbom: dict[str, Any]) -> None:
    ask = "from importlib.metadata import distributions as d; print(*(f'{x.name} {x.version}' for x in d()), sep='\\n')"
    lines = in_image(compose, "/opt/tidegauge/venv/bin/python", "-c", ask).splitlines()
    installed = {tuple(line.lower().replace("_", "-").split()) for line in lines}
    assert purls(sbom, "pypi") == {f"pkg:pypi/{name}@{version}" for name, version in installed}


def test_it_has_every_file_that_browsers_load_by_its_hash(compose: Compose, sbom: dict[str, Any]) -> None:
    [bokehjs] = (one for one in sbom["components"] if one["name"] == "bokehjs")
    files = {
        one["name"]: one["hashes"][0]["content"]
        for one in [*bokehjs["components"], *sbom["metadata"]["component"]["components"]]
        if one["type"] == "file"
    }
    sums = "sha256sum $(find assets -type f -not -path '*/errors/*' -not -name '*.gz' -not -name '*.br')"
    lines = in_image(compose, "bash", "-euc", sums).splitlines()
    assert files == {line.split()[1]: line.split()[0] for line in lines}


def test_it_has_the_packages_that_are_bundled_in_bokehjs(sbom: dict[str, Any]) -> None:
    [bokehjs] = (one for one in sbom["components"] if one["name"] == "bokehjs")
    versions = {one["purl"].partition("@")[0]: one.get("version") for one in bokehjs["components"] if "purl" in one}
    # One of each file, and those whose versions their own text names.
    assert {"pkg:npm/proj4", "pkg:npm/flatpickr", "pkg:npm/slickgrid", "pkg:npm/regl", "pkg:npm/mathjax-full"} <= set(
        versions
    )
    assert all(versions[f"pkg:npm/{name}"] for name in ("dompurify", "choices.js", "sortablejs"))


def test_it_has_what_wheels_brought_along(compose: Compose, sbom: dict[str, Any]) -> None:
    inside = {one["name"].lower(): one.get("components", []) for one in sbom["components"]}
    [sqlite] = inside["apsw"]
    ask = "import apsw; print(apsw.sqlite_lib_version())"
    assert sqlite["version"] == in_image(compose, "/opt/tidegauge/venv/bin/python", "-c", ask)
    assert {"libwebp", "FreeType"} <= {one["name"] for one in inside["pillow"]}
    assert "regex" in {one["name"] for one in inside["pydantic_core"]}
    libraries = in_image(compose, "bash", "-c", f"ls {SITE}/numpy.libs").split()
    assert [one["name"] for one in inside["numpy"]] == [f"numpy.libs/{name}" for name in libraries]


def test_the_tools_that_make_it_are_not_in_the_image(compose: Compose) -> None:
    assert in_image(compose, "bash", "-c", "find / -xdev -iname '*cyclonedx*' -not -path '*/sboms/*'") == ""
