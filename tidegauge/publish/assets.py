"""Static files: BokehJS out of the installed wheel, our own scripts and style, and Apache's error documents.

Every file has its content's hash in its URL, so that it may be kept for ever; `flask --app wsgi assets FOLDER` writes
them compressed for Apache, and the development server sends the originals.
"""

import base64
import gzip
import hashlib
import html
import json
from dataclasses import dataclass
from pathlib import Path

import bokeh

from tidegauge.errors import HTTP_ERRORS, PUSH_CURE, PUSH_REFUSED, ExtraMissing, problem_details

OUR_FILES = Path(__file__).parent / "static"
BOKEHJS_FILES = Path(bokeh.__file__).parent / "server" / "static" / "js"
# A page loads the first, and the others only where its figures have widgets or tables. The rest of
# BokehJS (WebGL, MathJax, the compiler) needs eval, or is not drawn with here.
BOKEHJS = ("bokeh.min.js", "bokeh-widgets.min.js", "bokeh-tables.min.js")


@dataclass(frozen=True)
class Asset:
    """A file that browsers load. ``path`` is its URL below ``/static/``, ``integrity`` its SHA-384 as HTML wants it."""

    path: str
    source: Path
    integrity: str


class Assets:
    """All static files, by name."""

    def __init__(self) -> None:
        sources = [BOKEHJS_FILES / name for name in BOKEHJS]
        sources += sorted(path for path in OUR_FILES.iterdir() if not path.name.startswith("."))
        self._assets = {source.name: _asset(source) for source in sources}

    def __getitem__(self, name: str) -> Asset:
        return self._assets[name]

    def at(self, path: str) -> Asset | None:
        """Return the asset whose URL below ``/static/`` is *path*, or None."""
        return next((asset for asset in self._assets.values() if asset.path == path), None)

    @property
    def digest(self) -> str:
        """A hash of all files, for the feed's ``build``."""
        return hashlib.sha256("".join(asset.integrity for asset in self._assets.values()).encode()).hexdigest()

    def write(self, folder: Path) -> list[Path]:
        """Write every file to *folder*, with ``.gz`` and ``.br`` beside it, and the error documents.

        Files that are there stay, also those of an earlier release: an open page may still load them.

        Returns:
            The files that were written.
        """
        try:
            import brotli  # an extra: only Apache's files need it
        except ImportError:
            raise ExtraMissing("Static files for Apache", "apache") from None
        written = []
        for asset in self._assets.values():
            target = folder / asset.path
            body = asset.source.read_bytes()
            if not target.exists():
                target.parent.mkdir(parents=True, exist_ok=True)
                target.with_name(f"{target.name}.gz").write_bytes(gzip.compress(body, 9, mtime=0))
                target.with_name(f"{target.name}.br").write_bytes(brotli.compress(body))
                # Last, and whole: that it is there means that all are.
                staged = target.with_name(f"{target.name}.new")
                staged.write_bytes(body)
                staged.replace(target)
                written.append(target)
        (folder / "errors").mkdir(parents=True, exist_ok=True)
        documents = {f"{status}.json": json.dumps(problem_details(status)) for status in HTTP_ERRORS}
        documents |= {f"{status}.html": _page(status) for status in HTTP_ERRORS}
        for status in (401, 403):
            documents[f"push-{status}.json"] = json.dumps(problem_details(status, PUSH_REFUSED, cure=PUSH_CURE))
        for name, text in documents.items():
            target = folder / "errors" / name
            target.write_text(text + "\n", "utf-8")
            written.append(target)
        return written


def _page(status: int) -> str:
    title, detail, cure = HTTP_ERRORS[status]
    return (
        '<!doctype html><html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width">'
        f'<meta name="color-scheme" content="light dark"><title>{title}</title>'
        f"<h1>{title}</h1><p>{html.escape(detail)} {html.escape(cure)}</p></html>"
    )


def _asset(source: Path) -> Asset:
    body = source.read_bytes()
    integrity = "sha384-" + base64.b64encode(hashlib.sha384(body).digest()).decode()
    return Asset(f"{hashlib.sha256(body).hexdigest()[:8]}/{source.name}", source, integrity)
