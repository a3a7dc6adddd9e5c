"""Status codes: the line that is sent, and the phrase of nginx's own pages."""

from __future__ import annotations

from typing import Final

# The reason phrases of nginx's status lines; a code without one is sent as the bare number.
REASONS: Final[dict[int, bytes]] = {
    200: b"OK",
    201: b"Created",
    202: b"Accepted",
    204: b"No Content",
    206: b"Partial Content",
    301: b"Moved Permanently",
    302: b"Moved Temporarily",
    303: b"See Other",
    304: b"Not Modified",
    307: b"Temporary Redirect",
    308: b"Permanent Redirect",
    400: b"Bad Request",
    401: b"Unauthorized",
    402: b"Payment Required",
    403: b"Forbidden",
    404: b"Not Found",
    405: b"Not Allowed",
    406: b"Not Acceptable",
    407: b"Proxy Authentication Required",
    408: b"Request Time-out",
    409: b"Conflict",
    410: b"Gone",
    411: b"Length Required",
    412: b"Precondition Failed",
    413: b"Request Entity Too Large",
    414: b"Request-URI Too Large",
    415: b"Unsupported Media Type",
    416: b"Requested Range Not Satisfiable",
    421: b"Misdirected Request",
    429: b"Too Many Requests",
    500: b"Internal Server Error",
    501: b"Not Implemented",
    502: b"Bad Gateway",
    503: b"Service Temporarily Unavailable",
    504: b"Gateway Time-out",
    505: b"HTTP Version Not Supported",
    507: b"Insufficient Storage",
}

# nginx's internal codes for a refused request; the log shows some of them, the client sees 400.
HEADER_TOO_LARGE: Final = 494
CERT_ERROR: Final = 495
NO_CERT: Final = 496
TO_HTTPS: Final = 497
CLOSE: Final = 444
CLIENT_CLOSED: Final = 499

SENT_AS: Final[dict[int, int]] = {HEADER_TOO_LARGE: 400, CERT_ERROR: 400, NO_CERT: 400, TO_HTTPS: 400}

# (title, heading, further text) where a page says something else than "code reason"
_PAGES: Final[dict[int, tuple[bytes, bytes, bytes]]] = {
    302: (b"302 Found", b"302 Found", b""),
    401: (b"401 Authorization Required", b"401 Authorization Required", b""),
    413: (b"413 Request Entity Too Large", b"413 Request Entity Too Large", b""),
    HEADER_TOO_LARGE: (
        b"400 Request Header Or Cookie Too Large",
        b"400 Bad Request",
        b"Request Header Or Cookie Too Large",
    ),
    CERT_ERROR: (b"400 The SSL certificate error", b"400 Bad Request", b"The SSL certificate error"),
    NO_CERT: (b"400 No required SSL certificate was sent", b"400 Bad Request", b"No required SSL certificate was sent"),
    TO_HTTPS: (
        b"400 The plain HTTP request was sent to HTTPS port",
        b"400 Bad Request",
        b"The plain HTTP request was sent to HTTPS port",
    ),
    498: (b"404 Not Found", b"404 Not Found", b""),
}

_WITH_PAGE: Final = frozenset(REASONS) - {200, 201, 202, 204, 206, 304} | frozenset(_PAGES)


def status_line(status: int) -> bytes:
    """`404 Not Found` for the first line of a response."""
    line = _LINES.get(status)
    return line if line is not None else b"%03d " % status


_LINES: Final[dict[int, bytes]] = {code: b"%d %s" % (code, reason) for code, reason in REASONS.items()}


def error_page(status: int, signature: bytes, padding: bool = False) -> bytes | None:
    """The page that nginx itself makes for a status; None if it has none. `padding` is msie_padding's."""
    if status not in _WITH_PAGE:
        return None
    plain = b"%d %s" % (status, REASONS.get(status, b""))
    title, heading, text = _PAGES.get(status, (plain, plain, b""))
    page = b"<html>\r\n<head><title>%s</title></head>\r\n<body>\r\n<center><h1>%s</h1></center>\r\n" % (title, heading)
    if text:
        page += b"<center>%s</center>\r\n" % text
    page += b"<hr><center>%s</center>\r\n</body>\r\n</html>\r\n" % signature
    if padding:
        page += b"<!-- a padding to disable MSIE and Chrome friendly error page -->\r\n" * 6
    return page
