"""Where gateway answers otherwise than the nginx beside it, and why.

By test, patterns of requests with the reason. A pattern that excuses nothing any more fails its test. `until` is the
version of nginx that answers as gateway does: gateway follows 1.31.5, and the nginx that is installed may be older.
"""

from __future__ import annotations

import re
import subprocess
from dataclasses import dataclass
from functools import cache
from typing import Final

from tests.conformance.reference import NGINX


@dataclass(frozen=True)
class Difference:
    pattern: bytes
    reason: str
    until: tuple[int, int, int] = (99, 0, 0)
    sometimes: bool = False  # an answer may be lost by a reset, and then both are the same

    def matches(self, request: bytes) -> bool:
        return re.search(self.pattern, request, re.DOTALL) is not None


@cache
def nginx_version() -> tuple[int, ...]:
    """The version of the nginx that is compared with."""
    text = subprocess.run([str(NGINX), "-v"], capture_output=True, text=True, check=True).stderr
    found = re.search(r"/([0-9.]+)", text)
    assert found is not None, text
    return tuple(map(int, found[1].split(".")))


def expected(test: str) -> list[Difference]:
    """The differences of a test that this version of nginx must show."""
    return [each for each in DIFFERENCES.get(test, ()) if nginx_version() < each.until]


# Changes somewhere between 1.22 and the version that gateway follows.
_FOLLOWED: Final = (1, 31, 5)

DIFFERENCES: Final[dict[str, tuple[Difference, ...]]] = {
    "ranges": (
        Difference(
            rb" /page2?/.*bytes=900000-",
            "nginx has the fields of the refused file beside those of the error page: ETag, Content-Range twice",
        ),
        Difference(rb" /head/.*bytes=900000-", "an Accept-Ranges of add_header is not sent with 416"),
    ),
    "request_lines": (
        Difference(rb"^CONNECT ", "newer nginx parses the target of CONNECT as RFC 9112 has it", until=_FOLLOWED),
        Difference(rb"^GET http://named.com:99999/", "a port beyond 65535 is refused", until=_FOLLOWED),
    ),
    "fields": (
        Difference(
            rb"Host: [^\r]*[^A-Za-z0-9.:_\[\] -]",
            "a host name with characters that RFC 3986 has not is refused",
            until=_FOLLOWED,
        ),
        Difference(rb"Host: [^\r]*[\[:]", "what follows a host name's colon or bracket is checked", until=_FOLLOWED),
        Difference(rb"\b(X|Connection): .*\r\n\1: ", "a variable has the values of repeated fields", until=(1, 23, 0)),
        Difference(rb"X-Y: 1\r\nx-y: 2", "a variable has the values of repeated fields", until=(1, 23, 0)),
        Difference(rb"Content-Type: .*Content-Type:", "a variable has the values of repeated fields", until=(1, 23, 0)),
        Difference(rb"Cookie: b,a=1", "a comma does not part cookies", until=(1, 23, 0)),
    ),
    "bodies": (
        Difference(
            rb"chunked\r\n\r\n",
            "lines of a chunked body end with CR LF, and a chunk with its data",
            until=_FOLLOWED,
        ),
    ),
    "uwsgi environs": (
        Difference(
            rb" /nobody/.*chunked",
            "a chunked body that is not passed is dropped, its length is 0; nginx tells the application to expect it",
        ),
        Difference(rb"X-A: 1\r\nX-A: 2", "repeated fields are merged for the application", until=(1, 23, 0)),
        Difference(rb" /nohead/", "HTTP_HOST goes with every request", until=_FOLLOWED),
    ),
    "uwsgi answers": (
        Difference(
            rb"status=204%20No%20Content", "no Content-Length in a 204 (RFC 9110, 8.6), whatever the application says"
        ),
        Difference(rb" /add/x.X-One=1&X-One=2", "a variable has the values of repeated fields", until=(1, 23, 0)),
    ),
    "charset": (
        Difference(rb" /from/utf.txt", "bytes from F8 on begin no character of UTF-8", until=(1, 23, 4)),
        Difference(
            rb" /(koi|gz)/win.txt",
            "a byte that charset_map does not name becomes a question mark; nginx leaves it where it is alone",
        ),
    ),
    "connections": (
        Difference(
            rb"^(HEAD|POST) /two\r\n", "nginx refuses HEAD and POST of HTTP/0.9 without a head", sometimes=True
        ),
    ),
}
