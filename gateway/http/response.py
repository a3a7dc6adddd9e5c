"""The response on its way out: what handlers and head filters fill in, before it becomes bytes."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Final

from gateway.http.status import status_line

_DAYS: Final = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
_MONTHS: Final = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")


@lru_cache(maxsize=4096)
def http_date(seconds: int) -> bytes:
    """An IMF-fixdate (RFC 9110, 5.6.7) of a time in seconds since the epoch."""
    import time

    t = time.gmtime(seconds)
    return b"%s, %02d %s %04d %02d:%02d:%02d GMT" % (
        _DAYS[t.tm_wday].encode(),
        t.tm_mday,
        _MONTHS[t.tm_mon - 1].encode(),
        t.tm_year,
        t.tm_hour,
        t.tm_min,
        t.tm_sec,
    )


_TIME: Final = rb"(\d\d):(\d\d):(\d\d)"
_RFC_1123: Final = re.compile(rb"(\d\d) (...) (\d{4}) " + _TIME)
_RFC_850: Final = re.compile(rb"(\d\d)-(...)-(\d\d) " + _TIME)
_ASCTIME: Final = re.compile(rb"(...). ?(\d\d?) " + _TIME + rb" (\d{4})")
_MONTH_DAYS: Final = (31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31)


def parse_http_date(text: bytes) -> int | None:
    """Seconds since the epoch of an HTTP date in any of its three forms (RFC 9110, 5.6.7); None if it is none.

    What follows the date is not looked at, the day's name neither, and of a month's name only what tells it apart,
    as in nginx's ngx_parse_http_time: a field that nginx takes for a date must be one here.
    """
    comma, space = text.find(b","), text.find(b" ")
    if comma >= 0 and (space < 0 or comma < space):
        rest = text[comma + 1 :].lstrip(b" ")
        match = _RFC_1123.match(rest) or _RFC_850.match(rest)
        if match is None:
            return None
        day, name, year, hour, minute, second = match.groups()
    else:
        match = _ASCTIME.match(text[space + 1 :].lstrip(b" ")) if space >= 0 else None
        if match is None:
            return None
        name, day, hour, minute, second, year = match.groups()
    month = _month(name)
    if month is None:
        return None
    y, d, h, m, s = int(year), int(day), int(hour), int(minute), int(second)
    if len(year) == 2:
        y += 2000 if y < 70 else 1900
    leap = not (y % 4 or (y % 100 == 0 and y % 400))
    if h > 23 or m > 59 or s > 59 or (d > _MONTH_DAYS[month] and not (month == 1 and d == 29 and leap)):
        return None
    # Gauss's formula: years begin on 1 March, so that a leap day is their last
    month -= 1
    if month <= 0:
        month += 12
        y -= 1
    days = 365 * y + y // 4 - y // 100 + y // 400 + 367 * month // 12 - 30 + d - 1 - 719527 + 31 + 28
    return days * 86400 + h * 3600 + m * 60 + s


def _month(name: bytes) -> int | None:
    """0 to 11, by the letters that nginx looks at."""
    first = name[:1]
    if first == b"J":
        return 0 if name[1:2] == b"a" else 5 if name[2:] == b"n" else 6
    if first == b"M":
        return 2 if name[2:] == b"r" else 4
    if first == b"A":
        return 3 if name[1:2] == b"p" else 7
    at = b"FSOND".find(first)
    return (1, 8, 9, 10, 11)[at] if at >= 0 else None


# The value, in `fields`, of a field that has an attribute of its own: here is its place, the attribute has its value.
PLACED: Final = b"(placed)"


class Response:
    """Status and header of one response. A field of its own for what filters work on; the rest in `fields`."""

    def __init__(self) -> None:
        self.status: int = 0
        self.status_text: bytes | None = None  # an upstream's own "404 Gone fishing"
        self.content_type: bytes | None = None  # without charset
        self.charset: bytes | None = None
        self.charset_text: bytes | None = None  # as an upstream wrote it, from the semicolon on
        self.content_length: int = -1  # -1: not known
        self.content_encoding: bytes | None = None
        self.last_modified: int = -1  # seconds since the epoch
        self.last_modified_text: bytes | None = None  # as an upstream sent it
        self.etag: bytes | None = None
        self.location: bytes | None = None
        self.accept_ranges: bool = False  # nginx's allow_ranges: ranges may be served of this response
        self.single_range: bool = False  # a request of several ranges gets the whole
        self.disable_not_modified: bool = False  # an upstream's answer: it has judged the conditions itself
        self.server: bytes | None = None  # instead of our own
        self.date: bytes | None = None
        self.override_charset: bytes | None = None  # X-Accel-Charset, for the charset filter
        self.fields: list[tuple[bytes, bytes]] = []
        self.listed: set[bytes] | None = None  # lower-case names of the fields that are PLACED in `fields`
        self.gzip_vary: bool = False  # Vary: Accept-Encoding, before all fields
        self.trailers: list[tuple[bytes, bytes]] | None = None

    def clear_content_length(self) -> None:
        self.content_length = -1

    def clear_accept_ranges(self) -> None:
        self.accept_ranges = False
        self.remove(b"accept-ranges")

    def clear_last_modified(self) -> None:
        self.last_modified = -1
        self.last_modified_text = None

    def weaken_etag(self) -> None:
        """A filter changes the bytes: a strong ETag becomes weak (RFC 9110, 8.8.1)."""
        etag = self.etag
        if etag is not None and not etag.startswith(b"W/"):
            self.etag = b"W/" + etag if etag[:1] == b'"' else None

    def get(self, lower_name: bytes) -> bytes | None:
        """The value of a field in `fields` by its lower-case name."""
        for name, value in self.fields:
            if name.lower() == lower_name and value is not PLACED:
                return value
        return None

    def remove(self, lower_name: bytes) -> None:
        if self.fields:
            self.fields[:] = [field for field in self.fields if field[0].lower() != lower_name]

    def set(self, name: bytes, value: bytes) -> None:
        """One field of this name, whatever was there before; it keeps its place."""
        lower = name.lower()
        fields = self.fields
        for i, field in enumerate(fields):
            if field[0].lower() == lower:
                kept = fields[i][0]
                self.remove(lower)
                fields.insert(i, (kept, value))
                return
        fields.append((name, value))

    def place(self, name: bytes, lower_name: bytes) -> None:
        """The field of this name, whose value is an attribute, stands behind those that are in `fields` so far."""
        if self.listed is None:
            self.listed = set()
        if lower_name not in self.listed:
            self.listed.add(lower_name)
            self.fields.append((name, PLACED))

    def redirect_to(self, location: bytes, http_version: int) -> None:
        """In HTTP/1 behind the fields that are there so far (WWW-Authenticate of a 401 whose page is elsewhere)."""
        self.location = location
        if self.fields and http_version < 20:
            self.place(b"Location", b"location")

    @property
    def status_line(self) -> bytes:
        return self.status_text or status_line(self.status)

    @property
    def full_content_type(self) -> bytes | None:
        if self.content_type is None:
            return None
        if self.charset:
            return self.content_type + (self.charset_text or b"; charset=" + self.charset)
        return self.content_type

    @property
    def last_modified_value(self) -> bytes | None:
        if self.last_modified_text is not None:
            return self.last_modified_text
        return http_date(self.last_modified) if self.last_modified >= 0 else None
