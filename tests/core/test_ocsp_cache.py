from __future__ import annotations

import time

from gateway.core.ocsp_cache import OcspCache
from gateway.core.zones import Zone


def cache(old: Zone | None = None) -> OcspCache:
    made = OcspCache()
    zone = Zone("ocsp", 32768, "http_ssl_ocsp")
    zone.user = made
    zone.map(old)
    return made


def test_answers_as_long_as_they_are_good() -> None:
    made = cache()
    later, before = int(time.time()) + 60, int(time.time()) - 1
    made.add(b"a" * 20, 1, later)
    made.add(b"b" * 20, 0, before)
    assert made.find(b"a" * 20) == 1 and made.find(b"b" * 20) is None and made.find(b"c" * 20) is None
    assert cache(made.zone).find(b"a" * 20) == 1
    for number in range(2000):
        made.add(b"%020d" % number, 0, later)
    assert made.find(b"%020d" % 1999) == 0 and made.find(b"a" * 20) is None
