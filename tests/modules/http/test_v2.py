"""http_v2: its directives, what they mean for a connection, and $http2."""

from __future__ import annotations

import h2.settings
import pytest

from gateway.config.errors import ConfigError
from tests.engine import load_http, serving
from tests.http2_client import http2


@pytest.mark.parametrize(
    ("directive", "words"),
    [
        ("http2_chunk_size 0;", "the http2 chunk size cannot be zero"),
        ("http2_body_preread_size 2147483648;", "the maximum body preread buffer size is 2147483647"),
        ("http2 yes;", 'invalid value "yes" in "http2" directive'),
        ("http2_max_concurrent_streams x;", '"http2_max_concurrent_streams" directive invalid number'),
    ],
)
def test_wrong_values(directive: str, words: str) -> None:
    with pytest.raises(ConfigError, match=words):
        load_http(directive)


async def test_settings_that_the_client_is_told() -> None:
    text = """
    http2_max_concurrent_streams 7; http2_body_preread_size 1k;
    server { listen 127.0.0.1:8080; http2 on; }
    """
    async with serving(text) as engine, http2(engine) as client:
        await client.get("/")
        told = client.connection.remote_settings
        assert told.max_concurrent_streams == 7 and told.initial_window_size == 1024
        assert told[h2.settings.SettingCodes.MAX_FRAME_SIZE] == 2**24 - 1


async def test_http2_is_inherited_and_taken_back() -> None:
    text = """
    http2 on;
    server { listen 127.0.0.1:8080; server_name on; location / { return 200 "[$http2]"; } }
    server { listen 127.0.0.1:8080; server_name off; http2 off; location / { return 200 "[$http2]"; } }
    """
    async with serving(text) as engine:
        async with http2(engine) as client:
            assert (await client.get("/", host="on")).body == b"[h2c]"
            assert (await client.get("/", host="off")).status == 421
        assert (await engine.get("/", host="off")).body == b"[]"


def test_old_directives_are_taken_with_a_warning() -> None:
    load_http(
        """
        http2_max_requests 5; http2_push_preload on; http2_idle_timeout 3m; http2_recv_timeout 30s;
        http2_max_field_size 4k; http2_max_header_size 16k; http2_max_concurrent_pushes 10;
        server { listen 127.0.0.1:8080; http2_push /x; }
        """
    )
