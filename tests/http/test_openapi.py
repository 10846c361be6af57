"""The description that is served, held against the routes, and against what schemathesis makes of it."""

import re
from typing import Any

import schemathesis
import served
from flask import Flask
from flask.testing import FlaskClient
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis
from schemathesis import Case
from schemathesis.core.result import Ok
from schemathesis.specs.openapi.checks import positive_data_acceptance

AUTH = {"Authorization": f"Bearer {served.TOKEN}"}
# For other programs' clients, for pages, and for people.
UNDESCRIBED = re.compile(
    r"/api/openapi\.json|/ping|/query|/data/|/embed\.js|/(?:dashboard|explore|feeds|static)(?:/.*)?|/"
)


def test_every_route_that_programs_use_is_described(untouched: FlaskClient) -> None:
    answer = untouched.get("/api/openapi.json")
    assert answer.mimetype == "application/json"
    paths = answer.get_json()["paths"]
    routes = {
        (method, re.sub(r"<(?:path:)?(\w+)>", r"{\1}", rule.rule))
        for rule in untouched.application.url_map.iter_rules()
        for method in (rule.methods or set()) - {"HEAD", "OPTIONS"}
        if not UNDESCRIBED.fullmatch(rule.rule)
    }
    assert {(method.upper(), path) for path, methods in paths.items() for method in methods} == routes


def test_what_it_says_is_what_is_answered(app: Flask) -> None:
    """By hand, as schemathesis' own plugin does not know this pytest."""
    description = schemathesis.openapi.from_wsgi("/api/openapi.json", app)
    for found in description.get_all_operations():
        assert isinstance(found, Ok)
        operation = found.ok()

        @hypothesis(database=None, suppress_health_check=list(HealthCheck))
        @given(operation.as_strategy())
        def answer(case: Case[Any]) -> None:
            # Not all that is refused can be said: what is no line protocol, a cursor of another epoch.
            case.call_and_validate(headers=AUTH, excluded_checks=[positive_data_acceptance])

        answer()
