from __future__ import annotations

from pathlib import Path

import pytest

from gateway.config.errors import ConfigError
from tests.engine import load_http, serving
from tests.fakes import Asked, answer, farm


async def test_inherited_as_a_whole_or_not_at_all(tmp_path: Path) -> None:
    asked: list[Asked] = []
    async with farm(tmp_path) as peers:
        address = await peers.tcp(answer(asked=asked))
        text = f"""
            uwsgi_param A outer; uwsgi_param B $arg_b if_not_empty;
            server {{ listen 127.0.0.1:8080;
                location / {{ uwsgi_pass {address}; }}
                location /own {{ uwsgi_pass {address}; uwsgi_param C inner; uwsgi_param HTTP_HOST other; }} }}"""
        async with serving(text) as engine:
            for target in ("/?b=1", "/", "/own"):
                assert (await engine.get(target, host="h:8080")).status == 200
    assert [request.pairs[:-1] for request in asked] == [
        [(b"A", b"outer"), (b"B", b"1"), (b"HTTP_HOST", b"h:8080")],
        [(b"A", b"outer"), (b"HTTP_HOST", b"h:8080")],
        [(b"C", b"inner"), (b"HTTP_HOST", b"other")],
    ]


def test_refused() -> None:
    with pytest.raises(ConfigError, match='invalid parameter "if_empty"'):
        load_http("uwsgi_param A b if_empty;")
