"""Requests that two parsers could read in two ways, or that are none at all, by family."""

from collections.abc import Callable
from dataclasses import dataclass
from random import Random

from served import TOKEN

from torture.load import POLL

HOST = b"Host: localhost\r\n"
GOOD = b"Authorization: Bearer %s\r\n" % TOKEN.encode()
# What would be counted if it were taken for a request of its own.
SMUGGLED = b"POST /data/ HTTP/1.1\r\n%sContent-Length: 0\r\n\r\n" % HOST
OPEN = [b"/health/live", b"/", b"/data/", POLL.encode(), b"/static/none"]  # no pushes
CHUNKED = b"Transfer-Encoding: chunked\r\n"


@dataclass(frozen=True)
class Shape:
    """A request, and what may come of it.

    Args:
        allowed: the one status below 400 that is right as well, because a standard asks for it; 0: none.
        python: whether the request may reach Python, which then refuses it or does what the standard asks for.
    """

    sent: bytes
    allowed: int = 0
    python: bool = False


def _request(target: bytes, headers: bytes = b"", method: bytes = b"GET", host: bytes = HOST) -> bytes:
    return b"%s %s HTTP/1.1\r\n%s%s\r\n" % (method, target, host, headers)


def framing(random: Random) -> Shape:
    """A body's length that is given wrongly, or twice."""
    lengths = [*b"+5 0x5 -1 1e3 5,5 22222222222222222222".split(), b"", b"5 5"]
    wrong = [
        *(b"Content-Length: %s\r\n" % length for length in lengths),
        *(b"Content-Length: %d\r\nContent-Length: 5\r\n" % length for length in (0, 5, len(SMUGGLED))),
        *(b"Transfer-Encoding: %s\r\n" % coding for coding in (b"xchunked", b"chunked, x", b'"chunked"', b"")),
        *(
            b"%schunked\r\n" % name
            for name in (b"Transfer-Encoding : ", b"Transfer-Encoding:\v", b" Transfer-Encoding: ")
        ),
        CHUNKED + b"Transfer-Encoding: identity\r\n",
        b"X: y\n" + CHUNKED,
        b"X: y\rContent-Length: 5\r\n",
    ]
    target, token = random.choice([(b"/api/series", GOOD), (b"/write", GOOD), (b"/collectd", b""), *_open()])
    body = random.choice([b"", b"0\r\n\r\n"]) + SMUGGLED
    return Shape(_request(target, token + random.choice(wrong), b"POST") + body)


def two_lengths(random: Random) -> Shape:
    """CL.TE and TE.CL: a server goes by the coding (RFC 9112, 6.3). With a token Python gets it, and refuses."""
    coding = random.choice([CHUNKED, b"transfer-encoding:\tCHUNKED\r\n", b"Transfer-Encoding:\r\n chunked\r\n"])
    headers = [b"Content-Length: %d\r\n" % random.choice([0, 4, 5 + len(SMUGGLED)]), coding]
    random.shuffle(headers)
    body = random.choice([b"0\r\n\r\n%s", b"%x\r\n%%s\r\n0\r\n\r\n" % len(SMUGGLED)]) % SMUGGLED
    target, token = random.choice([(b"/api/series", GOOD), (b"/write", b""), *_open()])
    return Shape(_request(target, token + b"".join(headers), b"POST") + body, python=bool(token))


def chunks(random: Random) -> Shape:
    """Chunks whose sizes, extensions or ends are wrong. With a token Apache reads them for Python, which takes none."""
    sizes = [
        *b"fffffffffffffffff 7fffffffffffffff -2 +2 0x2 g 2;a=b".split(),
        b"",
        b" 2",
        b"2 ;",
        b"2;a\nb",
        b"2;" + b"x" * 9000,
    ]
    first = random.choice(sizes) + random.choice([b"\r\n", b"\n"]) + b"[]"
    trailers = [b"no colon\r\n", b"Host: x.y\r\nContent-Length: 5\r\n"]
    lasts = [b"\r\n0\r\n\r\n", b"0\r\n\r\n", b"\n0\n\n", *(b"\r\n0\r\n%s\r\n" % one for one in trailers), b""]
    token = random.choice([GOOD, b""])
    return Shape(_request(b"/api/series", token + CHUNKED, b"POST") + first + random.choice(lasts), python=bool(token))


def lines(random: Random) -> Shape:
    """Bare line feeds and carriage returns, control characters, spaces where none may be, no HTTP at all."""
    target = random.choice(OPEN)
    control = random.choice([b"\0", b"\1", b"\x7f", b"\r", b"\v"])
    controlled = random.choice([b"X: a%sb", b"X%s: a", b"%s: a", b"X a%s"]) % control
    spaced = random.choice([b"X : a", b"X\t: a", b": a", b"no colon", b"X(: a", b"X: a\nY: b"])
    odd = [
        _request(target).replace(b"\r\n", b"\n"),
        _request(target).replace(b"\r\n", b"\n", 1),
        _request(target, controlled + b"\r\n"),
        _request(target, spaced + b"\r\n"),
        _request(target + random.choice([b"\0", b"\1", b"\x7f", b"\t", b" x", b"\v"])),
        bytes(random.choices(range(1, 32), k=50)) + b"\r\n\r\n",
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03%s\r\n\r\n" % random.randbytes(32).replace(b"\n", b""),  # TLS
    ]
    return Shape(random.choice(odd))


def versions(random: Random) -> Shape:
    """HTTP/0.9, what is no version, HTTP/1.1 without a host or with two, and HTTP/2's preface."""
    target = random.choice(OPEN)
    wrong = b"HTTP/0.9 http/1.1 HTTP/1 HTTP/1.1.1 HTTP/11 HTTP/-1.1 HTTP/1.01 ICY/1.1".split()
    odd = [
        b"GET %s%s" % (target, random.choice([b"\r\n", b"\n"])),
        _request(target).replace(b"HTTP/1.1", random.choice([*wrong, b"HTTP/ 1.1"])),
        _request(target, host=b""),
        _request(target, random.choice([HOST, b"Host: x.example\r\n", b"host:\r\n"])),
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    ]
    return Shape(random.choice(odd))


def hosts(random: Random) -> Shape:
    """Hosts that are others', or none. Apache lets 999.1.1.1 through, as no name ends in a digit: Python refuses it."""
    name = random.choice([b"evil", b"a" * 60, b"xn--e1aybc"]) + b".%d.example" % random.randrange(1000)
    rubbish = [*b"a@b a:b@c :80 a:99999 a:x a:-1 [::g] [::1 [::1]x ::1] a/b a..b \xff".split(), b"a b", b""]
    host = random.choice([name, name + b".", name + b":80", name.upper(), b"user@" + name, *rubbish, b"999.1.1.1"])
    if host == b"999.1.1.1":
        return Shape(_request(b"/health/live", host=b"Host: 999.1.1.1\r\n"), python=True)
    target = random.choice(OPEN)
    if random.random() < 0.3:
        return Shape(_request(b"http://%s%s" % (name, target)))
    return Shape(_request(target, host=b"Host: %s\r\n" % host))


def methods(random: Random) -> Shape:
    """Methods that HTTP does not have, or that nothing here takes. Of the common ones Python says what it takes."""
    odd = [*b'TRACE CONNECT PROPFIND MKCOL get Get post FOO G@T G"T PRI GET\0'.split(b" "), b"G" * 300, b""]
    common = [b"PUT", b"PATCH", b"DELETE"]
    method = random.choice(odd + common)
    return Shape(_request(random.choice(OPEN), method=method), python=method in common)


def targets(random: Random) -> Shape:
    """Paths out of their folder, in every spelling, and what is no path. What is no file's, Python answers by 404."""
    up = random.choice([*rb".. %2e%2e .%2E ..; %252e%252e %c0%ae%c0%ae %00..".split(), b"\xc0\xae."])
    slash = random.choice([b"/", b"%2f", b"%5c", b"\\", b"//"])
    folder = random.choice([b"/feeds", b"/static", b"/pages", b"/dashboard", b""])
    climbing = (
        folder + b"/" + (up + slash) * random.randint(1, 6) + random.choice([b"tokens", b"etc/passwd", b"wsgi.py"])
    )
    rubbish = [*b"/% /%zz /%u0041 /\xff /%ff /#x * x /%00 ftp://localhost/".split(), b"/a b", POLL.encode() + b"%00.js"]
    return Shape(_request(random.choice([climbing, random.choice(rubbish)])), python=True)


def sizes(random: Random) -> Shape:
    """Longer than Apache reads: request lines, headers, numbers of headers, folded headers."""
    target, more = random.choice(OPEN), random.choice([200, 1_000, 100_000])
    many = b"".join(b"X%d: y\r\n" % number for number in range(100 + more // 100))
    headers = random.choice([b"X: %s\r\n" % (b"x" * (8_190 + more)), many, b"X: a\r\n" + b" b\r\n" * (4_000 + more)])
    return Shape(random.choice([_request(target + b"?" + b"x" * (8_190 + more)), _request(target, headers)]))


def expectations(random: Random) -> Shape:
    """Expectations that cannot be met, and a body where none is taken."""
    unmet = b"Expect: %s\r\n" % random.choice([b"rubbish", b"100-continue, x", b"200-ok", b"\xff"])
    body = b"Content-Length: %d\r\n\r\n%s" % (len(SMUGGLED), SMUGGLED)
    return Shape(_request(random.choice(OPEN), random.choice([unmet, body])))


def lawful(random: Random) -> Shape:
    """What looks odd and is to be ignored (RFC 9110, 7.8 and 14.2) or read as it is meant (RFC 9112, 3.2.2 and 5.2)."""
    upgrade = b"Upgrade: h2c\r\nConnection: Upgrade, HTTP2-Settings\r\nHTTP2-Settings: AAMAAABk"
    ranges = b"Range: " + random.choice(b"bytes=0-,0-,0- bytes=99999999999-1 rubbish bytes=-0".split())
    header = random.choice([upgrade, ranges, b"X: a\r\n b", b"Connection: Host", b"Content_Length: 5", b"TE: x"])
    paths = [
        b"/health/live",
        POLL.encode(),
        b"//feeds//server//tail.json",
        b"/./health/live",
        b"http://localhost/health/live",
    ]
    target = random.choice(paths)
    return Shape(_request(target, header + b"\r\n"), allowed=200, python=b"health" in target)


def _open() -> list[tuple[bytes, bytes]]:
    return [(url, b"") for url in OPEN]


FAMILIES: tuple[Callable[[Random], Shape], ...] = (
    framing,
    two_lengths,
    chunks,
    lines,
    versions,
    hosts,
    methods,
    targets,
    sizes,
    expectations,
    lawful,
)
