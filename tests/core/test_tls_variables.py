"""Variables without TLS, and what OpenSSL has no words for; the others are tried over connections (test_ssl)."""

from __future__ import annotations

import time
from types import SimpleNamespace

from gateway.core.tls_variables import HTTP_VARIABLES, VARIABLES, _remain, engine_of


def test_without_tls_there_are_none() -> None:
    request = SimpleNamespace(connection=SimpleNamespace(stream=SimpleNamespace()))
    assert engine_of(request) is None
    assert [variable.get(request) for variable in HTTP_VARIABLES] == [None] * len(HTTP_VARIABLES)
    assert {variable.name for variable in VARIABLES} < {variable.name for variable in HTTP_VARIABLES}


def test_days_that_remain() -> None:
    def certificate(text: str) -> SimpleNamespace:
        return SimpleNamespace(not_after=lambda: text.encode())

    soon = time.strftime("%b %d %H:%M:%S %Y GMT", time.gmtime(time.time() + 3 * 86400 + 60))
    assert _remain(certificate(soon)) == b"3"  # type: ignore[arg-type]
    assert _remain(certificate("Feb  3 00:55:52 2015 GMT")) == b"0"  # type: ignore[arg-type]
    assert _remain(certificate("Bad time value")) == b""  # type: ignore[arg-type]
