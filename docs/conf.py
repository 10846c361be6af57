"""How Sphinx makes the manual: `make docs`."""

import sys
import tomllib
from pathlib import Path

ROOT = Path(__file__).parent.parent
sys.path.insert(0, str(ROOT))  # autodoc imports the package

project = "Tidegauge"
author = "The Tidegauge developers"
version = release = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]["version"]

extensions = ["myst_parser", "sphinx.ext.autodoc", "sphinx.ext.napoleon"]
exclude_patterns = ["_build", "dashboards"]

autodoc_typehints = "none"  # the docstrings say it in words
myst_heading_anchors = 3

html_theme = "furo"
html_title = "Tidegauge"
