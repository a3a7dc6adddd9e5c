from __future__ import annotations

import os

from gateway.core.resolver_counts import ResolverCounts, counts_of


def test_codes() -> None:
    counts = ResolverCounts()
    for code in (0, 1, 2, 3, 4, 5, 6, 9, 15):
        counts.response(code)
    counts.timed_out()
    counts.request(service=False)
    counts.request(service=False)
    counts.request(service=True)
    assert counts.shown() == {
        "requests": {"name": 2, "srv": 1, "addr": 0},
        "responses": {
            "noerror": 1,
            "formerr": 1,
            "servfail": 1,
            "nxdomain": 1,
            "notimp": 1,
            "refused": 1,
            "timedout": 1,
            "unknown": 3,
        },
    }


def test_shared_by_name_and_process() -> None:
    counts = counts_of("tests/core/test_resolver_counts")
    child = os.fork()
    if not child:
        counts.timed_out()
        os._exit(0)
    os.waitpid(child, 0)
    assert counts_of("tests/core/test_resolver_counts").shown()["responses"]["timedout"] == 1
