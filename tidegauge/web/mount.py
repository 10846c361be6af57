"""Our own Flask application inside another one: exactly its rules are registered there."""

from flask import Flask, request
from flask.typing import ResponseReturnValue

ENDPOINT = "tidegauge."  # what the names of our endpoints begin with


def mount(app: Flask, web: Flask, prefix: str) -> None:
    """Register every rule of *web* in *app*, below *prefix*: "/" or a path such as "/live".

    A request that matches one is answered by *web*, with all of its own hooks and error answers, inside those of *app*.
    What matches none is *app*'s own affair, also where it answers 404 or 405.
    """
    base = prefix.rstrip("/")

    def forward(**_: object) -> ResponseReturnValue:
        environ = dict(request.environ)
        environ["SCRIPT_NAME"] = environ.get("SCRIPT_NAME", "") + base
        environ["PATH_INFO"] = environ.get("PATH_INFO", "").removeprefix(base)
        with web.request_context(environ):
            return web.full_dispatch_request()

    methods: dict[str, set[str]] = {}
    for rule in web.url_map.iter_rules():
        methods.setdefault(rule.rule, set()).update(rule.methods or ())
    for path in list(methods):
        # Without their last slash, too: *app* would lead from there to the whole address, Host header and all.
        if path.endswith("/") and (path != "/" or base):
            methods.setdefault(path[:-1], methods[path])
    for path, allowed in methods.items():
        app.add_url_rule(
            base + path, f"{ENDPOINT}{path}", forward, methods=sorted(allowed), provide_automatic_options=False
        )
