"""How long an answer is good, as its fields say it and nginx reads them, one after the other.

Set-Cookie and `Vary: *` keep an answer out of the cache. X-Accel-Expires counts before Cache-Control, and that before
Expires, but a later field does not take back what an earlier one of higher rank has said.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from gateway._fast.http1_response import KINDS
from gateway.config.units import MAX_INTEGER
from gateway.http.response import parse_http_date
from gateway.upstream.cache.file_head import VARY_MOST
from gateway.upstream.exchange.response import Ignore, UpstreamHead, digits

if TYPE_CHECKING:
    from gateway.upstream.cache.entry import Entry

_SET_COOKIE: Final = KINDS.index(b"set-cookie") + 1
_CACHE_CONTROL: Final = KINDS.index(b"cache-control") + 1
_EXPIRES: Final = KINDS.index(b"expires") + 1
_ACCEL_EXPIRES: Final = KINDS.index(b"x-accel-expires") + 1


class _Reading:
    """What the fields have said so far."""

    def __init__(self, entry: Entry, now: int) -> None:
        self.entry = entry
        self.now = now
        self.cacheable = True
        self.no_cache = False
        self.expired = False
        self.accel = False  # there is an X-Accel-Expires, also one that is ignored

    def cache_control(self, value: bytes) -> None:
        entry = self.entry
        text = value.lower()
        if not (entry.valid and self.accel):
            if b"no-cache" in text or b"no-store" in text or b"private" in text:
                self.no_cache = True
                return
            at = text.find(b"s-maxage=")
            at = at + 9 if at >= 0 else text.find(b"max-age=") + 8
            if at >= 8:
                seconds = delta(text, at)
                if seconds < 0:
                    self.cacheable = False
                    return
                if seconds == 0:
                    self.no_cache = True
                    return
                entry.valid = min(self.now + seconds, MAX_INTEGER)
                self.expired = False
        for name, both in ((b"stale-while-revalidate=", True), (b"stale-if-error=", False)):
            at = text.find(name)
            if at < 0:
                continue
            seconds = delta(text, at + len(name))
            if seconds < 0:
                self.cacheable = False
                return
            entry.error = seconds
            if both:
                entry.updating = seconds

    def expires(self, value: bytes) -> None:
        if self.entry.valid:
            return
        date = parse_http_date(value)
        if date is None or date < self.now:
            self.expired = True
        else:
            self.entry.valid = date

    def accel_expires(self, value: bytes) -> None:
        absolute = value.startswith(b"@")
        number = digits(value[1:] if absolute else value)
        if number < 0:
            return
        if not absolute and not number:
            self.cacheable = False
            return
        self.entry.valid = number if absolute else self.now + number
        self.no_cache = self.expired = False


def delta(text: bytes, at: int) -> int:
    """The delta-seconds at this place, -1 for none."""
    end = at
    while end < len(text) and text[end] not in b",; ":
        end += 1
    number = text[at:end]
    if not number:
        return 0
    return min(int(number[:20]), MAX_INTEGER) if number.isdigit() else -1


def judge(entry: Entry, head: UpstreamHead, ignored: int, now: int) -> bool:
    """Read the fields into the entry; whether they let the answer be kept."""
    reading = _Reading(entry, now)
    vary: list[bytes] = []
    for kind, (name, value) in zip(head.kinds, head.pairs, strict=True):
        if kind == _SET_COOKIE:
            if not ignored & Ignore.SET_COOKIE:
                reading.cacheable = False
        elif kind == _CACHE_CONTROL:
            if not ignored & Ignore.CACHE_CONTROL:
                reading.cache_control(value)
        elif kind == _EXPIRES:
            if not ignored & Ignore.EXPIRES:
                reading.expires(value)
        elif kind == _ACCEL_EXPIRES:
            reading.accel = True
            if not ignored & Ignore.X_ACCEL_EXPIRES:
                reading.accel_expires(value)
        elif not kind and len(name) == 4 and name.lower() == b"vary" and not ignored & Ignore.VARY:
            vary.append(value)
    if b"*" in vary:
        reading.cacheable = False
    entry.vary = b", ".join(vary)
    if len(entry.vary) > VARY_MOST:
        reading.cacheable = False
    return reading.cacheable and not (reading.no_cache or reading.expired)
