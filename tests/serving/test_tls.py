from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from gateway.config.errors import ConfigError
from tests import certificates
from tests.engine import load_http
from tests.stream_engine import load_stream

LOADS: dict[str, Callable[[str], Any]] = {"http": load_http, "stream": load_stream}
CONTENT = "return 200;"


@pytest.mark.parametrize("block", LOADS)
def test_servers_with_the_same_settings_share_their_contexts(block: str, tmp_path: Path) -> None:
    chain, key = certificates.write(tmp_path)
    pair = f"ssl_certificate {chain}; ssl_certificate_key {key};"
    servers = [
        f"server {{ listen {1000 + n} ssl; {pair} {more} {CONTENT} }}"
        for n, more in enumerate(("", "", "ssl_protocols TLSv1.3;"))
    ]
    first, second, third = LOADS[block](" ".join(servers)).servers
    assert first.tls is not None and first.tls is second.tls
    assert third.tls is not None and third.tls is not first.tls


@pytest.mark.parametrize("block", LOADS)
@pytest.mark.parametrize(
    ("default", "other", "line"),
    [
        ("", "", 1),
        ("", "ssl_reject_handshake on;", 1),
        ("ssl_reject_handshake on;", "", 2),
        ("ssl_reject_handshake on;", "ssl_reject_handshake on;", 0),
    ],
)
def test_a_listen_with_tls_has_a_certificate(block: str, default: str, other: str, line: int) -> None:
    text = f"""server {{ listen 1000 ssl; {default} {CONTENT} }}
        server {{ listen 1000 ssl; server_name b; {other} {CONTENT} }}"""
    if not line:
        LOADS[block](text)
        return
    with pytest.raises(ConfigError) as caught:
        LOADS[block](text)
    assert caught.value.where is not None
    assert str(caught.value).startswith('no "ssl_certificate" is defined for the "listen ... ssl" directive')
    assert caught.value.where.line == 1 + line  # the block's own line is the first
