"""The running server, asked by commands that write."""

import json
import ssl
from urllib.error import HTTPError, URLError
from urllib.request import HTTPSHandler, ProxyHandler, Request, build_opener

import click

from tidegauge.server.current import current_owner

URL_HELP = "The running server; by default the one on TIDEGAUGE_PORT of this host."
TOKEN_HELP = "A push token; by default the first of TIDEGAUGE_PUSH_TOKEN."  # noqa: S105


class Refused(click.ClickException):
    """The server's answer was no success; ``status`` and ``detail`` say why."""

    def __init__(self, target: str, status: int, detail: str) -> None:
        super().__init__(f"{target} answered {status}: {detail}")
        self.status = status
        self.detail = detail


class Server:
    """The running server, asked with a push token."""

    def __init__(self, url: str | None, token: str | None) -> None:
        settings = current_owner().settings
        tokens = [one.secret for one in settings.push_tokens]
        if not (secret := token or next(iter(tokens), "")):
            raise click.UsageError("Give --token, or set TIDEGAUGE_PUSH_TOKEN.")
        scheme = "https" if settings.tls_certificate else "http"
        self._root = (url or f"{scheme}://127.0.0.1:{settings.port}").rstrip("/")
        self._headers = {"Authorization": f"Bearer {secret}"}
        handlers = [ProxyHandler({})] if url or scheme == "http" else [ProxyHandler({}), _own(settings.tls_certificate)]
        self._opener = build_opener(*handlers)

    def ask(self, method: str, path: str, body: bytes | None = None) -> bytes:
        """Return the body of the answer; raises Refused, or ClickException where there is none."""
        target = self._root + path
        request = Request(target, body, self._headers, method=method)  # noqa: S310 - the user's own URL
        try:
            with self._opener.open(request, timeout=60) as answer:
                received: bytes = answer.read()
                return received
        except HTTPError as error:
            said = error.read().decode(errors="replace")
            why = json.loads(said)["detail"] if said.startswith("{") else said[:200]
            raise Refused(target, error.code, why) from None
        except URLError as error:
            raise click.ClickException(f"{target} cannot be reached: {error.reason}. Is the server running?") from None


def _own(certificate: str) -> HTTPSHandler:
    """Trust this very certificate, whoever has issued it: it is in another name than the loopback's address."""
    context = ssl.create_default_context(cafile=certificate)
    context.check_hostname = False
    context.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN
    return HTTPSHandler(context=context)
