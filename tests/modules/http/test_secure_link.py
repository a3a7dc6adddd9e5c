"""secure_link: links with a digest, in both modes."""

from __future__ import annotations

import base64
import hashlib
import time

import pytest

from gateway.config.errors import ConfigError
from tests.engine import load_http, serving

CONF = """
server {
    listen 127.0.0.1:80;
    location / {
        secure_link $arg_md5,$arg_e;
        secure_link_md5 secret$uri$arg_e;
        return 200 "[$secure_link][$secure_link_expires]";
    }
    location /forever {
        secure_link $arg_md5;
        secure_link_md5 secret$uri;
        return 200 "[$secure_link][$secure_link_expires]";
        location /forever/inner { secure_link_md5 other$uri; return 200 "[$secure_link]"; }
    }
    location /old { secure_link_secret word; return 200 "[$secure_link]"; }
    location /nothing { secure_link_md5 a; return 200 "[$secure_link]"; }
}
"""


def digest(text: str) -> str:
    return base64.urlsafe_b64encode(hashlib.md5(text.encode()).digest()).decode().rstrip("=")


async def test_with_a_time() -> None:
    async with serving(CONF) as engine:
        for expires, answer in ((int(time.time()) + 100, "1"), (1000, "0")):
            link = f"/a?md5={digest(f'secret/a{expires}')}&e={expires}"
            assert (await engine.get(link)).body.decode() == f"[{answer}][{expires}]"
        assert (await engine.get(f"/a?md5={digest('secret/ax')}&e=x")).body == b"[][]"
        assert (await engine.get(f"/a?md5={digest('secret/a0')}&e=0")).body == b"[][]"
        assert (await engine.get(f"/a?md5={digest('secret/a')}")).body == b"[][]"


async def test_without_a_time() -> None:
    async with serving(CONF) as engine:
        right = digest("secret/forever")
        assert (await engine.get(f"/forever?md5={right}")).body == b"[1][]"
        assert (await engine.get(f"/forever?md5={right}==")).body == b"[1][]"
        for wrong in ("", right[:-1], right + "a", right + "===", "*" * 22, digest("secret/else"), "a" * 23):
            assert (await engine.get(f"/forever?md5={wrong}")).body == b"[][]", wrong
        assert (await engine.get(f"/forever/inner?md5={digest('other/forever/inner')}")).body == b"[1]"
        assert (await engine.get("/nothing")).body == b"[]"


async def test_the_old_way() -> None:
    async with serving(CONF) as engine:
        code = hashlib.md5(b"top/file?x=1word").hexdigest()
        assert (await engine.get(f"/old/{code}/top/file?x=1")).body == b"[top/file?x=1]"
        assert (await engine.get(f"/old/{code.upper()}/top/file?x=1")).body == b"[top/file?x=1]"
        for wrong in ("/old", "/old/", f"/old/{code}", f"/old/{code}/", f"/old/{code}/top/file", f"/old/{code[1:]}/a"):
            assert (await engine.get(wrong)).body == b"[]", wrong


def test_the_two_ways_do_not_mix() -> None:
    for text in ("secure_link $uri; secure_link_secret a;", "secure_link_md5 $uri; secure_link_secret a;"):
        with pytest.raises(ConfigError, match='"secure_link_secret" cannot be mixed with "secure_link" and'):
            load_http(f"server {{ listen 127.0.0.1:80; {text} }}")
    load_http("secure_link_secret a; server { listen 127.0.0.1:80; secure_link $uri; secure_link_md5 $uri; }")
