"""Dashboard files: find them, import them, check them, and build their documents once.

A dashboard is a Python file. Its decorators only *mark* functions; the marks of a module are collected after its
import has succeeded, so a file that fails half-way leaves nothing behind. A file that cannot be
used is a dashboard with a problem; it breaks no other.
"""

import importlib.util
import logging
import re
import sys
import traceback
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType

import msgspec
from bokeh.embed import json_item
from bokeh.model import Model
from bokeh.models.widgets.tables import TableWidget
from bokeh.models.widgets.widget import Widget
from bokeh.themes import Theme

from tidegauge.dashboards.definition import Dashboard, Mark
from tidegauge.dashboards.source import LiveSource
from tidegauge.dashboards.themes import house_style
from tidegauge.dashboards.view import View
from tidegauge.errors import explain
from tidegauge.ingest.samplers import Sampler
from tidegauge.store.series import check_name

log = logging.getLogger(__name__)

URL_NAME = re.compile(r"[a-z0-9][a-z0-9_-]{0,62}")
MAX_PLACES = 10  # of a trace
FIRST_EDITION = "app.dashboards"  # what dashboard files imported from
MOVED = f"{FIRST_EDITION} is now tidegauge: write `from tidegauge import dashboard, live, sampler`"


def load_dashboards(folders: Iterable[Path], themes: dict[str, Theme], *, window: int) -> dict[str, Dashboard]:
    """Import every dashboard file of *folders* and build its documents, once for each of *themes*.

    Returns:
        The dashboards by name, in the order of their titles. What cannot be used (a file that does not import, a name
        that is no URL or is taken, a subfolder with Python files) is there too, with its ``problem``.
    """
    found: dict[str, Dashboard] = {}
    sampled: dict[str, str] = {}
    for path in _files(folders):
        if path.is_file() and path.stem in found:
            clash = f"the name {path.stem!r} is taken by a file of the same name in another folder: rename one"
            one = _unusable(path, clash)
        else:
            one = _load(path, themes, window)
        if taken := [name for each in one.samplers for name in each.names if name in sampled]:
            problem = f"its sampler of {taken[0]!r} clashes with the one in {sampled[taken[0]]}.py"
            one = Dashboard(one.name, one.title, one.description, problem=problem)
        sampled |= {name: one.name for each in one.samplers for name in each.names}
        found[one.name] = one
        if one.problem:
            log.error("The dashboard file %s cannot be used (%s): %s", path.name, one.reference, one.problem)
    return dict(sorted(found.items(), key=lambda item: item[1].title.lower()))


def _files(folders: Iterable[Path]) -> Iterator[Path]:
    for folder in folders:
        if str(folder) not in sys.path:
            sys.path.append(str(folder))  # so that a dashboard can import `_shop.py` beside it
        for path in sorted(folder.iterdir()):
            if path.name.startswith((".", "_")):
                continue
            if path.suffix == ".py" or (path.is_dir() and any(path.glob("**/*.py"))):
                yield path


def _load(path: Path, themes: dict[str, Theme], window: int) -> Dashboard:
    if path.is_dir():
        return _unusable(path, f"{path.name} is a folder; dashboard files lie beside it, not in it")
    if not URL_NAME.fullmatch(path.stem):
        return _unusable(path, "its file name becomes a URL: use lower-case letters, digits, - and _, at most 63")
    try:
        module = _import(path)
        return _build(path.stem, module, themes, window)
    except Exception as error:
        log.exception("The dashboard file %s failed", path.name)
        problem = f"{_place(error, path)}{MOVED if _is_of_first_edition(error, path) else explain(error)}"
        return Dashboard(path.stem, path.name, problem=problem, trace=_trace(error, path.parent))
    except SystemExit:
        return Dashboard(path.stem, path.name, problem="it ends the process (SystemExit) instead of returning figures")


def _unusable(path: Path, problem: str) -> Dashboard:
    # By its whole name, with a dot or a slash in it, so that it takes no URL from a dashboard that has one.
    return Dashboard(f"{path.name}/" if path.is_dir() else path.name, path.name, problem=problem)


def _import(path: Path) -> ModuleType:
    spec = importlib.util.spec_from_file_location(f"dashboards.{path.stem}", path)
    if spec is None or spec.loader is None:
        raise ImportError(f"Python cannot import {path.name}")
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module  # dataclasses and pickle look their module up
    try:
        spec.loader.exec_module(module)
    except BaseException:
        del sys.modules[spec.name]
        raise
    return module


@dataclass(frozen=True)
class Drawing:
    """What a dashboard's function has drawn; see Dashboard."""

    documents: dict[str, bytes]
    bokehjs: tuple[str, ...]
    views: tuple[View, ...]


def _build(name: str, module: ModuleType, themes: dict[str, Theme], window: int) -> Dashboard:
    functions = [value for value in vars(module).values() if callable(value)]
    marked = [function for function in functions if isinstance(getattr(function, "tidegauge_dashboard", None), Mark)]
    if len(marked) != 1:
        raise TypeError(f"a dashboard file has one function marked @dashboard(title=...), this one has {len(marked)}")
    mark: Mark = marked[0].tidegauge_dashboard
    drawing = draw(marked[0], themes, window)
    samplers = dict.fromkeys(getattr(function, "tidegauge_sampler", None) for function in functions)
    found = tuple(one for one in samplers if isinstance(one, Sampler))
    names = [name for one in found for name in one.names]
    if twice := [name for name in names if names.count(name) > 1]:
        raise ValueError(f"two of its samplers sample {twice[0]!r}")
    return Dashboard(
        name, mark.title, mark.description, drawing.documents, drawing.bokehjs, drawing.views, samplers=found
    )


def draw(function: Callable[[], object], themes: dict[str, Theme], window: int) -> Drawing:
    """Call a dashboard's function, and encode what it returns: once for each of *themes*."""
    model = function()
    if not isinstance(model, Model):
        raise TypeError(f"{function.__name__}() returned {type(model).__name__}, expected a Bokeh figure or layout")
    models = model.references()
    views: dict[View, None] = {}
    for source in (one for one in models if isinstance(one, LiveSource)):
        check_name(source.series)  # type: ignore[arg-type]
        views[source.view] = None
        source.update(max_size=window)
    bokehjs = {
        "bokeh": True,
        "bokeh-widgets": any(isinstance(one, Widget) for one in models),
        "bokeh-tables": any(isinstance(one, TableWidget) for one in models),
    }
    themed = house_style(model)
    documents = {}
    document = b""
    for name, theme in themes.items():
        for one in themed:
            one.apply(name)
        # Keys keep their order: sorted, a reference would precede its definition.
        document = documents[name] = msgspec.json.encode(json_item(model, theme=theme))

    def place(view: View) -> tuple[int, str]:
        return document.find(b'"series":' + msgspec.json.encode(view.series)), repr(view)

    needed = tuple(f"{part}.min.js" for part, is_needed in bokehjs.items() if is_needed)
    return Drawing(documents, needed, tuple(sorted(views, key=place)))


def _is_of_first_edition(error: Exception, path: Path) -> bool:
    """Tell whether a file imports what the first edition had in its own package `app`, which may be anybody's now."""
    lines = [frame.line or "" for frame in traceback.extract_tb(error.__traceback__) if frame.filename == str(path)]
    return isinstance(error, ImportError) and bool(lines) and FIRST_EDITION in lines[-1]


def _place(error: Exception, path: Path) -> str:
    if isinstance(error, SyntaxError):
        return f"line {error.lineno}: "
    lines = [frame.lineno for frame in traceback.extract_tb(error.__traceback__) if frame.filename == str(path)]
    return f"line {lines[-1]}: " if lines else ""


def _trace(error: Exception, folder: Path) -> str:
    """Return the way to *error* through the files of *folder*, with no other file and no path of this server."""
    frames = [(frame.filename, frame.lineno, frame.line) for frame in traceback.extract_tb(error.__traceback__)]
    if isinstance(error, SyntaxError):
        frames.append((error.filename or "", error.lineno, error.text))
    own = [(Path(file), line, text) for file, line, text in frames if Path(file).is_relative_to(folder)]
    places = [f"{file.relative_to(folder)}, line {line}\n    {(text or '').strip()}" for file, line, text in own]
    return "\n".join([*places[-MAX_PLACES:], explain(error)])
