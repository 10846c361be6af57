"""Print what is in the image: a software bill of materials, CycloneDX 1.6 as JSON.

Run by a stage of the Dockerfile that does not go into the image, in a folder with

    python.json   cyclonedx-py's list of the virtual environment, with licences and dependencies
    dpkg/         the image's /var/lib/dpkg
    assets/       the files that browsers load

and beside /opt/tidegauge/venv, as pip left it: with BokehJS's readable files, which name what is bundled in them.
"""

import hashlib
import json
import platform
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

from cyclonedx.model import HashAlgorithm, HashType
from cyclonedx.model.bom import Bom
from cyclonedx.model.component import Component, ComponentType
from cyclonedx.output import make_outputter
from cyclonedx.schema import OutputFormat, SchemaVersion
from packageurl import PackageURL
from packaging.utils import canonicalize_name

VENV = Path("/opt/tidegauge/venv")
BOKEHJS = "bokeh/server/static/js"
FIELDS = ("Package", "Version", "Architecture", "source:Package", "source:Version", "db:Status-Abbrev")
# As BokehJS's bundler writes them: a module's name above its function, and in the last line Bokeh's own modules.
MODULE = re.compile(r"^(?:\d+: )?/\* (\S+?)(?:\.js)? \*/ function _\(", re.MULTILINE)
BUNDLE_END = re.compile(r"^[\]}], \d+, \{(\"[^\n]*)\}, \{\}\);\}\);", re.MULTILINE)
NPM_NAME = re.compile(r"((?:@[^/]+/)?[^/]+)")


def sbom(folder: Path) -> Bom:
    """Return the list of everything: Debian's packages, Python's, and what browsers load."""
    bom = read(folder / "python.json")
    [site] = VENV.glob("lib/python3*/site-packages")
    python: dict[str, Component] = {canonicalize_name(component.name): component for component in bom.components}
    for metadata in site.glob("*.dist-info"):
        python[canonicalize_name(metadata.name.partition("-")[0])].components.update(in_wheel(metadata))
    python["apsw"].components.add(sqlite())

    image = Component(name="tidegauge", type=ComponentType.CONTAINER, bom_ref="tidegauge")
    version = python["bokeh"].version
    purl = PackageURL("npm", "@bokeh", "bokehjs", version)
    bokehjs = Component(name="bokehjs", group="@bokeh", version=version, bom_ref="bokehjs", purl=purl)
    bokehjs.licenses, bokehjs.components = python["bokeh"].licenses, bundled(site / BOKEHJS)
    for path in sorted(folder.glob("assets/????????/*")):
        if path.suffix not in {".gz", ".br"}:  # the same, compressed
            owner = bokehjs if path.name.startswith("bokeh") else image
            owner.components.add(file(path, str(path.relative_to(folder))))

    bom.metadata.component = image
    # A new set: the old one does not find again what has been changed.
    bom.components = [debian(), *packages(folder / "dpkg"), *python.values(), bokehjs]
    bom.register_dependency(image, bom.components)
    return bom


def read(path: Path) -> Bom:
    """Return the list that lies at *path*, of whatever version of CycloneDX."""
    found: Bom = Bom.from_json(json.loads(path.read_text()))  # type: ignore[attr-defined]
    return found


def file(path: Path, name: str) -> Component:
    """Return *path* as a component, known by its hash."""
    digest = HashType(alg=HashAlgorithm.SHA_256, content=hashlib.sha256(path.read_bytes()).hexdigest())
    return Component(name=name, type=ComponentType.FILE, bom_ref=f"file:{name}", hashes=[digest])


def debian() -> Component:
    """Return the system below; this stage has the image's."""
    version = platform.freedesktop_os_release()["VERSION_ID"]
    return Component(name="debian", version=version, type=ComponentType.OPERATING_SYSTEM, bom_ref="debian")


def packages(dpkg: Path) -> Iterator[Component]:
    """Yield the Debian packages that are installed below *dpkg*, with the source package that advisories name."""
    show = "\t".join(f"${{{field}}}" for field in FIELDS) + "\n"
    command = ["dpkg-query", f"--admindir={dpkg}", "--show", f"--showformat={show}"]
    for line in subprocess.run(command, check=True, capture_output=True, text=True).stdout.splitlines():
        name, version, architecture, source, source_version, status = line.split("\t")
        if status.strip() != "ii":
            continue
        where = {"arch": architecture, "distro": f"debian-{debian().version}", "upstream": f"{source}@{source_version}"}
        purl = PackageURL("deb", "debian", name, version, where)
        yield Component(name=name, version=version, bom_ref=f"deb:{name}:{architecture}", purl=purl)


def in_wheel(metadata: Path) -> Iterator[Component]:
    """Yield what a wheel brought along: what its own lists say (PEP 770), or else its shared libraries."""
    name = metadata.name.partition("-")[0]
    lists = sorted(metadata.glob("sboms/*.json"))
    for path in lists:
        for part in read(path).components:
            if part.name.lower() != name:
                part.bom_ref.value = f"{name}:{path.name}:{part.name}@{part.version or ''}"
                yield part
    if not lists:
        for path in sorted(metadata.with_name(f"{name}.libs").glob("*")):
            yield file(path, f"{path.parent.name}/{path.name}")


def sqlite() -> Component:
    """Return the SQLite that apsw has inside, by its own word."""
    ask = [str(VENV / "bin" / "python"), "-c", "import apsw; print(apsw.sqlite_lib_version())"]
    version = subprocess.run(ask, check=True, capture_output=True, text=True).stdout.strip()
    cpe = f"cpe:2.3:a:sqlite:sqlite:{version}:*:*:*:*:*:*:*"
    purl = PackageURL("generic", None, "sqlite", version)
    return Component(name="sqlite", version=version, bom_ref="apsw:sqlite", cpe=cpe, purl=purl)


def bundled(scripts: Path) -> Iterator[Component]:
    """Yield the packages of others in BokehJS, with their versions where their text has them: nothing lists them."""
    texts: dict[str, str] = {}
    for script in sorted(path for path in scripts.glob("bokeh*.js") if not path.name.endswith(".min.js")):
        text = script.read_text()
        bokehs_own = set(re.findall(r'"([^"]+)":\d+', BUNDLE_END.findall(text)[0]))
        modules = MODULE.split(text)
        for module, body in zip(modules[1::2], modules[2::2], strict=True):
            if module not in bokehs_own:
                for name in [NPM_NAME.findall(module)[0], *re.findall(f"node_modules/{NPM_NAME.pattern}", body)]:
                    texts[name] = texts.get(name, "") + body
    for full_name, text in sorted(texts.items()):
        group, _, name = full_name.rpartition("/")
        stem = re.escape(name.removesuffix("js").removesuffix("."))
        found = re.search(rf"(?i)\b{stem}(?:\.js)?(?: v?|\.version = '|\s+\* version : )(\d+\.\d+\.\d+)", text)
        version = found and found[1]
        purl = PackageURL("npm", group or None, name, version)
        yield Component(name=name, group=group or None, version=version, bom_ref=f"bokehjs:{full_name}", purl=purl)


if __name__ == "__main__":
    print(make_outputter(sbom(Path()), OutputFormat.JSON, SchemaVersion.V1_6).output_as_string(indent=1))
