from __future__ import annotations

import ssl

from gateway.upstream.exchange.contexts import ContextCache


class Maker:
    def __init__(self) -> None:
        self.made = 0

    def __call__(self) -> ssl.SSLContext:
        self.made += 1
        return ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)


def test_contexts_are_kept_and_let_go() -> None:
    make = Maker()
    cache = ContextCache(2, inactive_s=10, valid_s=60)
    first = cache.get(("a", "a"), 0, make)
    assert cache.get(("a", "a"), 9, make) is first and make.made == 1
    cache.get(("a", "a"), 20, make)  # nobody asked for ten seconds
    assert make.made == 2
    for name in "bc":
        cache.get((name, name), 21, make)  # there is room for two
    cache.get(("a", "a"), 22, make)
    assert make.made == 5
    for now in range(22, 90, 8):
        cache.get(("c", "c"), now, make)  # asked for all the time, and yet read again
    assert make.made == 6
