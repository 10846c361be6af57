"""Our own Flask application inside another one: exactly its rules are registered there."""

from flask import Flask, request
from flask.typing import ResponseReturnValue
from werkzeug.routing import Rule

ENDPOINT = "tidegauge."  # what the names of our endpoints begin with
MATCHED = "tidegauge.matched"  # in the environment of a request: the rule of ours that it matches


def mount(app: Flask, web: Flask, prefix: str) -> None:
    """Register every rule of *web* in *app*, below *prefix*: "/" or a path such as "/live".

    A request that matches one is answered by *web*, with all of its own hooks and error answers, inside those of *app*.
    What matches none is *app*'s own affair, also where it answers 404 or 405. Their endpoints are those of *web* after
    ``tidegauge.``: ``url_for("tidegauge.pages.dashboard", name="load")``.
    """
    base = prefix.rstrip("/")

    def forward(**_: object) -> ResponseReturnValue:
        environ = dict(request.environ)
        environ["SCRIPT_NAME"] = environ.get("SCRIPT_NAME", "") + base
        environ["PATH_INFO"] = path = environ.get("PATH_INFO", "").removeprefix(base)
        environ[MATCHED] = exact.get((path, environ["REQUEST_METHOD"]))
        with web.request_context(environ):
            return web.full_dispatch_request()

    # What has no argument need not be looked for again; what Flask answers itself (OPTIONS) has to.
    exact = {
        (rule.rule, method): rule
        for rule in web.url_map.iter_rules()
        for method in (rule.methods or set()) - {"OPTIONS"}
        if not rule.arguments and not rule.defaults
    }

    def add(path: str, endpoint: str, rule: Rule) -> None:
        app.add_url_rule(
            base + path, ENDPOINT + endpoint, forward, methods=rule.methods, provide_automatic_options=False
        )

    rules = list(web.url_map.iter_rules())
    there = {rule.rule for rule in rules}
    for rule in rules:
        add(rule.rule, rule.endpoint, rule)
        # Without its last slash, too: *app* would lead from there to the whole address, Host header and all.
        short = rule.rule.removesuffix("/")
        if short not in there and base + short:
            add(short, f"{rule.endpoint}.short", rule)
