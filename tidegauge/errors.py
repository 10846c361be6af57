"""What can go wrong, as classes that carry their data: what was given, what was expected, what to do.

Imports nothing of the application, so that every module may raise these.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import sha256

# What an error of HTTP itself means here, and its cure. Apache's own error documents are made from
# this table, too (publish/assets.py), so that both servers say the same.
HTTP_ERRORS = {
    400: (
        "Bad Request",
        "The request is not valid HTTP, names a host that is not accepted, or came as HTTP where HTTPS is spoken.",
        "Check the request, and whether its address should begin with https://.",
    ),
    401: ("Unauthorized", "This address is not open to you.", "Sign in."),
    403: ("Forbidden", "This address is not open to you.", "Sign in, or ask whoever runs this server."),
    404: ("Not Found", "There is nothing at this address.", "See the list of dashboards on the front page."),
    405: ("Method Not Allowed", "This address does not take that method.", "Use one that the Allow header names."),
    408: ("Request Timeout", "The request did not arrive in time.", "Send it again, faster."),
    410: ("Gone", "What was asked for is no longer there.", "Start again without a cursor."),
    411: ("Length Required", "The request does not say how long its body is.", "Send a Content-Length."),
    413: ("Content Too Large", "This address takes no body, or not one of this size.", "Send less, or no body."),
    414: ("URI Too Long", "The address is too long.", "Shorten it."),
    415: ("Unsupported Media Type", "This address does not take that kind of body.", "Send one that it documents."),
    417: ("Expectation Failed", "The Expect header cannot be met.", "Leave it out."),
    421: ("Misdirected Request", "This server does not answer for that host.", "Use the address of this server."),
    431: ("Request Header Fields Too Large", "The request's headers are too large.", "Send fewer or shorter ones."),
    500: (
        "Internal Server Error",
        "Something failed here; the log has the reason.",
        "Try again. If it keeps happening, contact the administrator.",
    ),
    501: ("Not Implemented", "This server does not know that method.", "Use GET, HEAD or POST."),
    502: ("Bad Gateway", "The Python process ended during this request.", "Try again in a few seconds."),
    503: ("Service Unavailable", "The Python process is starting or busy.", "Try again in a few seconds."),
    504: ("Gateway Timeout", "The Python process took too long.", "Try again; the log names what was slow."),
    505: ("HTTP Version Not Supported", "This server does not speak that version of HTTP.", "Use HTTP/1.1."),
}

# What Apache says, and the application where it is asked without Apache.
PUSH_REFUSED = "The request brings no token that this server knows."
PUSH_CURE = (
    "Set TIDEGAUGE_PUSH_TOKEN where the server starts, and send it as Authorization: Bearer, Token, or Basic (as the"
    " password)."
)


def problem_details(status: int, what: str = "", instance: str = "", cure: str = "") -> dict[str, object]:
    """Return the one JSON shape of an error, after RFC 9457 (Problem Details), with a cure added.

    Keys: ``status``, ``title`` (the status in words), ``detail`` (what was wrong), ``instance`` (where: a URL
    reference; the empty one is the request's own address), ``cure`` (what to do).
    """
    title, detail, usual_cure = HTTP_ERRORS.get(status, ("Error", "The request failed.", "Check the request."))
    return {
        "status": status,
        "title": title,
        "detail": what or detail,
        "instance": instance,
        "cure": cure or usual_cure,
    }


def explain(error: BaseException) -> str:
    """Return *error* as a sentence fit for viewers: its class and any text, folders taken out of paths."""
    said = ": ".join(filter(None, (type(error).__name__, str(error))))
    return re.sub(r"(?:/[\w.@+-]+)+/(?=[\w.@+-])", "", said)[:300]


def reference(of: str) -> str:
    """Return a short name for an error, such as "e-3f9a2c": the same for the same error, after a restart too."""
    return f"e-{sha256(of.encode(errors='replace')).hexdigest()[:6]}"


def refer_to_log(reference: str) -> str:
    """Return what is told of an error to who may not see it, as a part of a sentence."""
    return f"the log has its error, by the reference {reference} (docker compose logs | grep {reference})"


class TidegaugeError(Exception):
    """An error with a sentence for whoever caused it and a *cure*: what to do about it."""

    status = 500

    def __init__(self, what: str, cure: str) -> None:
        super().__init__(f"{what}\n{cure}" if "\n" in what else f"{what} {cure}")
        self.what = what
        self.cure = cure


@dataclass(frozen=True)
class RefusedSetting:
    """One setting that was refused: the variable's *name*, the *value* it has, and what *would do*."""

    name: str
    value: str
    would_do: str

    def __str__(self) -> str:
        return f"{self.name} is {self.value!r}: {self.would_do}"


class SettingsRefused(TidegaugeError):
    """One or more settings cannot be used; ``refused`` has each of them."""

    def __init__(self, refused: list[RefusedSetting]) -> None:
        super().__init__("\n".join(map(str, refused)), "Correct the settings and start again.")
        self.refused = refused


class CursorAhead(TidegaugeError):
    """A reader's cursor lies above the newest sequence number: it comes from another epoch."""

    status = 410

    def __init__(self, cursor: int, newest: int) -> None:
        super().__init__(
            f"Cursor {cursor} lies above the newest sequence number, {newest}.", "Start again without a cursor."
        )
        self.cursor = cursor
        self.newest = newest


class BadCursor(TidegaugeError):
    """A cursor that is no sequence number."""

    status = 400

    def __init__(self, given: str) -> None:
        super().__init__(
            f"The cursor {given[:40]!r} is not a sequence number.", "Give a whole number from 0 to below 2**53."
        )


class BadParameter(TidegaugeError):
    """A parameter of the URL that cannot be used."""

    status = 400

    def __init__(self, name: str, given: str, would_do: str) -> None:
        super().__init__(f"The parameter {name}={given[:40]!r} cannot be used.", f"Give {would_do}.")


class UnknownSeries(TidegaugeError):
    """No series of that name has a sample, and no dashboard declares it."""

    status = 404

    def __init__(self, name: str) -> None:
        super().__init__(f"There is no series {name[:500]!r}.", "GET /api/series lists the names.")


class UnknownDashboard(TidegaugeError):
    """No dashboard of that name."""

    status = 404

    def __init__(self, name: str) -> None:
        super().__init__(f"There is no dashboard {name[:100]!r}.", "The front page lists the dashboards.")


class BrokenDashboard(TidegaugeError):
    """The dashboard is there, but its file cannot be used."""

    status = 500

    def __init__(self, name: str, reason: str, trace: str = "") -> None:
        cure = "Correct its file, then make reload, or docker compose restart."
        super().__init__(f"The dashboard {name!r} cannot be shown: {reason}.", cure)
        self.trace = trace


class HostRefused(TidegaugeError):
    """The request's Host is none that this server answers for. The answer does not repeat it."""

    status = 421

    def __init__(self) -> None:
        super().__init__(
            "This server does not answer for that host name.",
            "Use its IP address, localhost or a name without a dot, or add the name to TIDEGAUGE_HOSTS.",
        )


class BadSample(TidegaugeError):
    """A value that is no sample: not a finite number and not None, or a name that cannot be one."""

    status = 400


class BadPush(TidegaugeError):
    """The body of a push cannot be used; nothing of it was kept."""

    status = 400


class BadEncoding(TidegaugeError):
    """A body that comes in a way that is not taken."""

    status = 415

    def __init__(self, header: str, given: str, would_do: str, *, status: int = 415) -> None:
        super().__init__(f"The body has {header} {given[:80]!r}.", f"Send {would_do}.")
        self.status = status


class BodyTooLarge(TidegaugeError):
    """A body that is larger than the limit, before or after decompression."""

    status = 413

    def __init__(self, max_bytes: int) -> None:
        super().__init__(f"The body is larger than {max_bytes} bytes.", "Send it in parts.")


class NotAllowed(TidegaugeError):
    """The request may not do this."""

    status = 403

    def __init__(self, what: str, cure: str, *, status: int = 403) -> None:
        super().__init__(what, cure)
        self.status = status


class TooManySeries(TidegaugeError):
    """New series were refused by the cap; all other samples of the push were kept."""

    status = 400

    def __init__(self, refused: Sequence[str]) -> None:
        names = ", ".join(refused[:5]) + (" ..." if len(refused) > 5 else "")
        super().__init__(
            f"{len(refused)} new series were refused, as TIDEGAUGE_MAX_SERIES are there: {names[:500]}. "
            "All other samples were kept.",
            "Raise it, or push fewer names.",
        )
        self.refused = refused


class CursorGone(TidegaugeError):
    """Samples after a reader's cursor are no longer kept, or it is one of another epoch."""

    status = 410

    def __init__(self, cursor: int, oldest: int, epoch: str) -> None:
        super().__init__(
            f"What follows the cursor {cursor} is no longer kept, or it belongs to another epoch than {epoch}.",
            f"Go on with since={oldest}, the oldest cursor that can be followed.",
        )
        self.cursor = cursor
        self.oldest = oldest


class JournalUnusable(TidegaugeError):
    """The journal cannot be opened."""

    status = 503

    def __init__(self, path: str, why: str) -> None:
        super().__init__(f"The journal {path} cannot be used: {why}.", "Correct that, or set TIDEGAUGE_JOURNAL.")


class JournalUnwritable(TidegaugeError):
    """Nothing of a batch was kept, as the journal cannot be written now."""

    status = 503

    def __init__(self, why: str) -> None:
        super().__init__(f"The journal cannot keep samples now: {why}.", "Send them again later.")


class ExtraMissing(TidegaugeError):
    """Something was asked for that needs packages which are an extra of ours: *what* it is, and the *extra*."""

    status = 501

    def __init__(self, what: str, extra: str) -> None:
        super().__init__(f"{what} need packages that are not installed.", f"pip install 'tidegauge[{extra}]'")


class NotServing(TidegaugeError):
    """This process must not serve: its numbers would not be the only ones. *reason* completes "must not serve: "."""

    status = 503

    def __init__(self, reason: str, cure: str) -> None:
        super().__init__(f"This process must not serve: {reason}.", cure)


class NotReady(TidegaugeError):
    """The dashboards are not there yet; *reason* is a sentence without its full stop."""

    status = 503

    def __init__(self, reason: str) -> None:
        super().__init__(f"{reason[0].upper()}{reason[1:]}.", "Try again in a few seconds.")
