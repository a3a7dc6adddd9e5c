from __future__ import annotations

from pathlib import Path

import pytest

from gateway.config.errors import ConfigError
from tests.engine import load_http, serving
from tests.fakes import answer, close_at_once, farm


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ('zone "";', 'invalid zone name ""'),
        ("zone z x;", 'invalid zone size "x"'),
        ("zone z 4k;", 'zone "z" is too small'),
    ],
)
def test_refused(line: str, words: str) -> None:
    with pytest.raises(ConfigError) as caught:
        load_http(f"upstream u {{ {line} server 127.0.0.1; }}")
    assert words in str(caught.value)


async def test_requests_are_counted(tmp_path: Path) -> None:
    async with farm(tmp_path) as peers:
        bad, good = await peers.tcp(close_at_once()), await peers.tcp(answer(b"Content-Length: 2\r\n\r\nok"))
        text = f"""
            upstream u {{ zone u 64k; server {bad}; server {good}; }}
            server {{ listen 127.0.0.1:8080; location / {{ uwsgi_pass u; }} }}
        """
        async with serving(text) as engine:
            for _ in range(3):
                assert (await engine.get("/")).status == 200
            (upstream,) = engine.cycle.upstreams.all
            assert upstream.shared is not None
            one, two = upstream.shared.members()
            assert (one.requests, one.failed, one.conns, one.responses_2xx, one.unavail) == (1, 1, 0, 0, 1)
            assert (two.requests, two.failed, two.conns, two.responses_2xx) == (3, 0, 0, 3)
            assert one.sent > 0 and two.sent > 0 and two.received > 3 * 20 and two.selected > 1_600_000_000_000
