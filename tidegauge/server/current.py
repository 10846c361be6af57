"""The owner that belongs to the request, or the command, at hand."""

from flask import current_app

from tidegauge.server.owner import Owner

KEY = "tidegauge.owner"  # in the extensions of our own Flask application


def current_owner() -> Owner:
    """Return the owner of the application that handles this request."""
    owner: Owner = current_app.extensions[KEY]
    return owner
