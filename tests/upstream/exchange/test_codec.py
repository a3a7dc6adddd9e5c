"""What a codec says of a request that its protocol cannot carry."""

from __future__ import annotations

from pathlib import Path

import pytest

from gateway.upstream.exchange.codec import Codec, RequestRefused
from tests.engine import serving
from tests.fakes import farm
from tests.modules.http.test_proxy import http_peer
from tests.upstream.one_peer import lines


def test_a_codec_says_everything_itself() -> None:
    codec = Codec(b"uwsgi://")
    assert (codec.schema, codec.tls) == (b"uwsgi://", None)
    for ask in (codec.encode, codec.reader):
        with pytest.raises(NotImplementedError):
            ask(None)


def test_the_level_is_error_unless_it_says_so() -> None:
    assert RequestRefused(500, b"words").level == "error"
    assert RequestRefused(431, b"words", "info").level == "info"


async def test_a_refused_request_asks_nobody(tmp_path: Path) -> None:
    asked: list[bytes] = []
    async with farm(tmp_path) as peers:
        address = await peers.tcp(http_peer(asked))
        repeated = "$arg_a" * 10
        text = f"server {{ listen 127.0.0.1:8080; location / {{ uwsgi_pass {address}; uwsgi_param A {repeated}; }} }}"
        async with serving(text) as engine:
            assert (await engine.get("/?a=" + "b" * 7000)).status == 431
            (line,) = lines(engine, "error")
            assert "uwsgi request is too big" in line
            assert "upstream:" not in line
    assert not asked
