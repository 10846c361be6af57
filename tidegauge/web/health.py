"""Liveness and readiness, for orchestrators: "restart me if this fails", "send me no traffic while this fails"."""

import platform
from importlib.metadata import version
from time import monotonic

from flask import Blueprint, Response, jsonify

from tidegauge.server.current import current_owner
from tidegauge.server.readiness import reasons_against, troubles
from tidegauge.server.vitals import mod_wsgi
from tidegauge.web.access import is_from_loopback, sees_errors

blueprint = Blueprint("health", __name__, url_prefix="/health")


@blueprint.get("/live")
def live() -> Response:
    """Answer 200 while this process answers at all; nothing else is asked."""
    return jsonify(status="pass")


@blueprint.get("/ready")
def ready() -> tuple[Response, int]:
    """Answer 200, or 503 with the reasons for which this process should get no traffic."""
    reasons = reasons_against(current_owner())
    return jsonify(status="fail" if reasons else "pass", reasons=reasons), 503 if reasons else 200


@blueprint.get("")
def health() -> tuple[Response, int]:
    """Both of them, with the epoch, counts, and what is in trouble; versions to loopback only."""
    owner = current_owner()
    reasons = reasons_against(owner)
    details: dict[str, object] = {
        "name": "tidegauge",
        "status": "fail" if reasons else "pass",
        "reasons": reasons,
        "troubles": troubles(owner, is_shown=sees_errors()),
        "epoch": owner.hub.journal.epoch,
        "newest_seq": owner.hub.windows.newest,
        "series": len(owner.hub.windows),
        "readings_refused": owner.hub.refused,
        "journal": owner.hub.journal.state(),
        "dashboards": len(site.dashboards) if (site := owner.site_if_built) else 0,
        "up_s": round(monotonic() - owner.started_at, 1),
    }
    if is_from_loopback():
        details["versions"] = _versions()
    return jsonify(details), 503 if reasons else 200


def _versions() -> dict[str, str]:
    versions = {name: version(name) for name in ("bokeh", "flask")}
    versions["python"] = platform.python_version()
    if module := mod_wsgi():
        versions["mod_wsgi"] = ".".join(map(str, module.version))
    return versions
