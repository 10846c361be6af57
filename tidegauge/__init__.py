"""Tidegauge: live Bokeh plots for a Flask application, behind the Apache you already run.

The public names are here. Importing this loads neither Flask nor Bokeh: each name brings what it needs.
"""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tidegauge.dashboards.definition import dashboard
    from tidegauge.dashboards.source import live
    from tidegauge.extension import Tidegauge
    from tidegauge.ingest.samplers import sampler

__all__ = ["Tidegauge", "dashboard", "live", "sampler"]

_HOMES = {
    "Tidegauge": "tidegauge.extension",
    "dashboard": "tidegauge.dashboards.definition",
    "live": "tidegauge.dashboards.source",
    "sampler": "tidegauge.ingest.samplers",
}


def __getattr__(name: str) -> object:
    """Load a public name when it is asked for (PEP 562)."""
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(_HOMES[name]), name)
