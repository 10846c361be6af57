"""Our own Flask application inside another one: exactly its rules are registered there."""

from flask import Flask, request
from flask.typing import ResponseReturnValue

ENDPOINT = "tidegauge."  # what the names of our endpoints begin with
MATCHED = "tidegauge.matched"  # in the environment of a request: the rule of ours that it matches


def mount(app: Flask, web: Flask, prefix: str) -> None:
    """Register every rule of *web* in *app*, below *prefix*: "/" or a path such as "/live".

    A request that matches one is answered by *web*, with all of its own hooks and error answers, inside those of *app*.
    What matches none is *app*'s own affair, also where it answers 404 or 405.
    """
    base = prefix.rstrip("/")

    def forward(**_: object) -> ResponseReturnValue:
        environ = dict(request.environ)
        environ["SCRIPT_NAME"] = environ.get("SCRIPT_NAME", "") + base
        environ["PATH_INFO"] = path = environ.get("PATH_INFO", "").removeprefix(base)
        environ[MATCHED] = exact.get((path, request.method))
        with web.request_context(environ):
            return web.full_dispatch_request()

    # What has no argument need not be looked for again; what Flask answers itself (OPTIONS) has to.
    exact = {
        (rule.rule, method): rule
        for rule in web.url_map.iter_rules()
        for method in (rule.methods or set()) - {"OPTIONS"}
        if not rule.arguments and not rule.defaults
    }
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
