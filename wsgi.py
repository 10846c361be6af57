"""What Apache's WSGIScriptAlias and the `flask --app wsgi` command load."""

from app import create_app
from app.serving import open_house

application = create_app()
open_house(application)
