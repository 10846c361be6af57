"""Which requests are served, who may push, and who sees errors."""

import hmac
import ipaddress
import re
from base64 import b64decode
from binascii import Error as NotBase64
from functools import lru_cache
from hashlib import sha256
from urllib.parse import urlsplit

from flask import Flask, Response, request
from werkzeug.routing import RequestRedirect

from tidegauge.errors import PUSH_CURE, PUSH_REFUSED, HostRefused, NotAllowed
from tidegauge.server.current import current_owner
from tidegauge.server.owner import Owner
from tidegauge.settings import Token

LIVENESS = "/health/live"
SCHEME = re.compile(r"(Bearer|Token|Basic) +([!-~]+)", re.IGNORECASE)


def register(web: Flask) -> None:
    """Look at every request of *web* first."""
    web.before_request(lambda: check_request(current_owner()))


def check_request(owner: Owner) -> Response | None:
    """Look at the request at hand before anything else does.

    Returns:
        A redirect where it needs a slash: one that does not repeat the Host header, as Werkzeug's own do.

    Raises:
        HostRefused: its Host header names another server.
        NotServing: this process must not serve.
    """
    environ = request.environ
    if not is_accepted_host(environ.get("HTTP_HOST") or request.host, owner.settings.accepted_hosts):
        raise HostRefused
    path = environ.get("PATH_INFO")
    if path != LIVENESS:
        owner.check_serving(multiprocess=environ["wsgi.multiprocess"])
    if not path:  # the prefix itself, without its slash
        return Response(status=308, headers={"Location": environ["SCRIPT_NAME"].rsplit("/", 1)[-1] + "/"})
    if isinstance(request.routing_exception, RequestRedirect):
        target = urlsplit(request.routing_exception.new_url)._replace(scheme="", netloc="").geturl()
        return Response(status=308, headers={"Location": target})
    return None


@lru_cache(1000)
def is_accepted_host(host: str, accepted: frozenset[str]) -> bool:
    """Tell whether a Host header names this server: an IP address, a name without a dot, or one of *accepted*."""
    try:
        name = (urlsplit(f"//{host}").hostname or "").rstrip(".")
        ipaddress.ip_address(name)
        return True
    except ValueError:
        # urlsplit refuses what is no host at all; what ip_address refuses is a name.
        if not host or any(character in host for character in "/?#@\\ "):
            return False
        name = host.rsplit(":", 1)[0].rstrip(".").lower()
        return name.replace("-", "").replace("_", "").replace(".", "").isalnum() and (
            "." not in name or name.endswith(".localhost") or name in accepted
        )


def pusher() -> Token:
    """Return the push token that this request brings, or raise NotAllowed."""
    environ = request.environ  # asked directly: Flask's headers take 3 us for each that is not there
    given = SCHEME.fullmatch(environ.get("HTTP_AUTHORIZATION", ""))
    secret = given[2] if given else ""
    # A browser that was once given the password adds it by itself, to what pages of other sites send, too.
    by_page = environ["REQUEST_METHOD"] != "GET" and ("HTTP_ORIGIN" in environ or "HTTP_SEC_FETCH_SITE" in environ)
    if given and given[1].lower() == "basic":
        try:
            secret = "" if by_page else b64decode(secret, validate=True).decode().partition(":")[2]
        except (NotBase64, UnicodeDecodeError):
            secret = ""
    digest = sha256(secret.encode()).digest()
    found = None
    for token in current_owner().settings.push_tokens:  # all of them, each in constant time
        if hmac.compare_digest(token.digest, digest):
            found = token
    if found is None:
        # Who sent none is asked for one: some agents wait for that.
        raise NotAllowed(PUSH_REFUSED, PUSH_CURE, status=403 if "HTTP_AUTHORIZATION" in environ else 401)
    return found


def is_from_loopback() -> bool:
    """Tell whether this request was made on this host, and by no proxy on it."""
    # A proxy on this host makes everybody look local; it says so in one of these.
    forwarded = any(name in request.headers for name in ("X-Forwarded-For", "Forwarded", "Via", "X-Real-Ip"))
    return not forwarded and ipaddress.ip_address(request.remote_addr or "::").is_loopback


def sees_errors() -> bool:
    """Tell whether whoever makes this request may see why a user's own code fails: TIDEGAUGE_SHOW_ERRORS."""
    shown_to = current_owner().settings.show_errors
    return shown_to == "everyone" or (shown_to == "loopback" and is_from_loopback())
