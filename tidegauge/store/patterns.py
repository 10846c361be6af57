"""Patterns of series' names: ``*`` stands for any text."""

import re
from functools import lru_cache


@lru_cache(1000)
def pattern(name: str) -> re.Pattern[str] | None:
    """Return what names must match of a *name* with ``*``, which stands for any text; None without one."""
    if "*" not in name:
        return None
    return re.compile("(.*)".join(re.escape(part) for part in name.split("*")), re.DOTALL)
