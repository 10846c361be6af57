import re
from pathlib import Path

from flask import Flask

from tidegauge.settings import PREFIX, Settings

README = (Path(__file__).parents[2] / "README.md").read_text("utf-8")


def test_the_table_of_settings_is_the_list_of_settings() -> None:
    rows = dict(re.findall(r"^\| `(TIDEGAUGE_\w+)` \|[^|]*\| (.*) \|$", README, re.MULTILINE))
    assert rows == {PREFIX + name.upper(): field.description for name, field in Settings.model_fields.items()}


def test_the_defaults_in_the_table_are_the_defaults() -> None:
    rows = dict(re.findall(r"^\| `TIDEGAUGE_(\w+)` \| `([^`]+)` \|", README, re.MULTILINE))
    defaults = Settings().model_dump()
    for name in ("RUN", "DASHBOARDS", "JOURNAL", "JOURNAL_COPY"):
        assert defaults[name.lower()].endswith(f"/{rows.pop(name)}")
    assert rows == {name: str(defaults[name.lower()]) for name in rows}
    assert len(rows) == 9


def test_every_route_is_in_the_table_of_urls(app: Flask) -> None:
    rules = {re.sub(r"<(?:\w+:)?(\w+)>", r"<\1>", rule.rule) for rule in app.url_map.iter_rules()}
    routes = {rule for rule in rules if f"{rule}/" not in rules or rule == "/dashboard/<name>"}  # not what leads there
    named = set(re.findall(r"`(?:GET|POST) (/[^`?]*)`", README))
    assert routes == named
