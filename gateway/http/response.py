"""The response on its way out: what handlers and head filters fill in, before it becomes bytes."""

from __future__ import annotations

from email.utils import parsedate_to_datetime
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


def parse_http_date(text: bytes) -> int | None:
    """Seconds since the epoch of an HTTP date in any of its three forms; None if it is none."""
    try:
        moment = parsedate_to_datetime(text.decode("ascii").replace("-", " ") if b"-" in text else text.decode("ascii"))
    except (ValueError, TypeError, IndexError):
        return None
    if moment.tzinfo is None:
        import datetime

        moment = moment.replace(tzinfo=datetime.UTC)
    return int(moment.timestamp())


class Response:
    """Status and header of one response. A field of its own for what filters work on; the rest in `fields`."""

    def __init__(self) -> None:
        self.status: int = 0
        self.status_text: bytes | None = None  # an upstream's own "404 Gone fishing"
        self.content_type: bytes | None = None  # without charset
        self.charset: bytes | None = None
        self.content_length: int = -1  # -1: not known
        self.content_encoding: bytes | None = None
        self.last_modified: int = -1  # seconds since the epoch
        self.last_modified_text: bytes | None = None  # as an upstream sent it
        self.etag: bytes | None = None
        self.location: bytes | None = None
        self.accept_ranges: bool = False  # nginx's allow_ranges: ranges may be served of this response
        self.server: bytes | None = None  # instead of our own
        self.date: bytes | None = None
        self.override_charset: bytes | None = None  # X-Accel-Charset: the charset filter, not built yet, will read it
        self.fields: list[tuple[bytes, bytes]] = []
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
            if name.lower() == lower_name:
                return value
        return None

    def remove(self, lower_name: bytes) -> None:
        if self.fields:
            self.fields[:] = [field for field in self.fields if field[0].lower() != lower_name]

    def set(self, name: bytes, value: bytes) -> None:
        """One field of this name, whatever was there before."""
        self.remove(name.lower())
        self.fields.append((name, value))

    @property
    def status_line(self) -> bytes:
        return self.status_text or status_line(self.status)

    @property
    def full_content_type(self) -> bytes | None:
        if self.content_type is None:
            return None
        if self.charset:
            return self.content_type + b"; charset=" + self.charset
        return self.content_type

    @property
    def last_modified_value(self) -> bytes | None:
        if self.last_modified_text is not None:
            return self.last_modified_text
        return http_date(self.last_modified) if self.last_modified >= 0 else None
