from __future__ import annotations

import pytest

from gateway.core.networks import UNIX_NETWORK, parse_network
from gateway.protocol.proxy_protocol import ProxyHeader
from gateway.serving.realip import told_by

PROXIES = (parse_network("127.0.0.0/8")[0], parse_network("2001:db8::/32")[0], UNIX_NETWORK)


# tried with nginx 1.31.5's stream and mail
@pytest.mark.parametrize(
    ("source", "found"),
    [
        (b"192.0.2.1", b"192.0.2.1"),
        (b"192.0.02.1", b"192.0.2.1"),
        (b"2001:db8:0::1", b"2001:db8::1"),
        (b"::ffff:192.0.2.1", b"::ffff:192.0.2.1"),
        (b"192.0.2.1:7777", None),
        (b"192.0.2.1:99999", None),
        (b"192.0.2", None),
        (b"....", None),
        (b"", None),
    ],
)
def test_an_address_without_a_port(source: bytes, found: bytes | None) -> None:
    told = told_by(ProxyHeader(source, 1234), b"127.0.0.1", PROXIES)
    assert told == (None if found is None else (found, 1234))


@pytest.mark.parametrize(
    ("peer", "trusted"),
    [
        (b"127.0.0.9", True),
        (b"::ffff:127.0.0.1", True),
        (b"2001:db8::7", True),
        (b"unix:", True),
        (b"10.0.0.1", False),
        (b"", False),
    ],
)
def test_of_whom_is_trusted(peer: bytes, trusted: bool) -> None:
    assert told_by(ProxyHeader(b"192.0.2.1", 1), peer, PROXIES) == ((b"192.0.2.1", 1) if trusted else None)
    assert told_by(None, peer, PROXIES) is None
