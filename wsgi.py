"""What Apache's WSGIScriptAlias and the `flask --app wsgi` command load."""

from app import create_app

application = create_app()
