"""userid: the cookie, its attributes, and the variables."""

from __future__ import annotations

import base64
import re
import struct

import pytest

from gateway.config.errors import ConfigError
from gateway.modules.http.userid import Sequence
from tests.engine import Engine, load_http, serving

CONF = """
server {
    listen 127.0.0.1:80;
    userid_domain here.test;
    userid_path /p;
    add_header X-Got $uid_got always;
    add_header X-Set $uid_set always;
    location /on { userid on; return 204; }
    location /v1 { userid v1; userid_service 7; return 204; }
    location /log { userid log; return 204; }
    location /off { return 204; }
    location /all {
        userid on;
        userid_name id;
        userid_service 1;
        userid_domain none;
        userid_expires max;
        userid_flags secure httponly samesite=lax;
        userid_p3p 'policyref="/w3c"';
        return 204;
    }
    location /day { userid on; userid_expires 1d; return 204; }
    location /mark { userid on; userid_mark x; return 204; }
    location /reset { userid on; set $uid_reset log; return 204; }
    location /kept { userid on; set $uid_reset 0; return 204; }
}
"""
UID = "/////wAAAAAAAAAAAAAAAQ=="
SHOWN = b"uid=FFFFFFFF000000000000000001000000"


async def cookie(engine: Engine, target: str, sent: str = "") -> str:
    reply = await engine.get(target, {"Cookie": sent} if sent else {})
    return (reply.header("set-cookie") or b"").decode()


async def test_a_new_client() -> None:
    async with serving(CONF) as engine:
        reply = await engine.get("/on")
        text = (reply.header("set-cookie") or b"").decode()
        match = re.fullmatch(r"uid=([A-Za-z0-9+/]{22}==); domain=here\.test; path=/p", text)
        assert match is not None, text
        numbers = struct.unpack("=4I", base64.b64decode(match[1]))
        assert reply.header("x-set") == b"uid=%08X%08X%08X%08X" % numbers
        assert reply.header("x-got") is None
        assert text != await cookie(engine, "/on")
        assert await cookie(engine, "/off") == ""
        assert await cookie(engine, "/log") == ""


async def test_version_1() -> None:
    async with serving(CONF) as engine:
        text = await cookie(engine, "/v1")
        service, _, _, number = struct.unpack("=4I", base64.b64decode(text[4:28]))
        assert service == 7
        assert number & 0xFF == 1


async def test_attributes() -> None:
    async with serving(CONF) as engine:
        reply = await engine.get("/all")
        text = (reply.header("set-cookie") or b"").decode()
        end = "; expires=Thu, 31-Dec-37 23:55:55 GMT; path=/p; secure; httponly; samesite=lax"
        assert re.fullmatch(r"id=.{24}" + re.escape(end), text), text
        assert base64.b64decode(text[3:27])[:4] == b"\0\0\0\1"
        assert reply.header("p3p") == b'policyref="/w3c"'
        day = r"; expires=\w{3}, \d\d-\w{3}-\d\d \d\d:\d\d:\d\d GMT; domain=here\.test; path=/p"
        assert re.search(day, await cookie(engine, "/day"))


async def test_a_known_client() -> None:
    async with serving(CONF) as engine:
        for target in ("/on", "/log", "/kept"):
            reply = await engine.get(target, {"Cookie": f"a=b; uid={UID}"})
            assert reply.header("set-cookie") is None
            assert reply.header("x-got") == SHOWN
        assert (await engine.get("/off", {"Cookie": f"uid={UID}"})).header("x-got") is None


async def test_mark() -> None:
    async with serving(CONF) as engine:
        assert (await cookie(engine, "/mark", f"uid={UID}")).startswith(f"uid={UID[:22]}x=; ")
        assert await cookie(engine, "/mark", f"uid={UID[:22]}x=") == ""
        assert (await cookie(engine, "/mark"))[26:28] == "x="


async def test_reset() -> None:
    async with serving(CONF) as engine:
        text = await cookie(engine, "/reset", f"uid={UID}")
        assert text.startswith("uid=")
        assert UID not in text
        assert [line for line in engine.log.lines if f'userid cookie "{SHOWN.decode()}" was reset' in line]


async def test_cookies_that_are_none() -> None:
    async with serving(CONF) as engine:
        assert (await cookie(engine, "/on", "uid=short")).startswith("uid=")
        assert (await cookie(engine, "/on", "uid=" + "*" * 22)).startswith("uid=")
        lines = "\n".join(engine.log.lines)
        assert 'client sent too short userid cookie "uid=short"' in lines
        assert 'client sent invalid userid cookie "uid=****' in lines


def test_numbers_go_round() -> None:
    sequence = Sequence()
    sequence._v1, sequence._v2 = 0xFFFFFF01, 0xFFFFFF02
    assert [sequence.next_v1(), sequence.next_v1()] == [0xFFFFFF01, 1]
    assert [sequence.next_v2(), sequence.next_v2()] == [0xFFFFFF02, 0x03030302]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("userid maybe;", 'invalid value "maybe"'),
        ("userid_mark ab;", '"userid_mark" directive value must be "off" or a single letter, digit or "="'),
        ("userid_mark a; userid_mark b;", '"userid_mark" directive is duplicate'),
        ("userid_expires x;", '"userid_expires" directive invalid value'),
        ("userid_expires 1d; userid_expires off;", '"userid_expires" directive is duplicate'),
        ("userid_flags fast;", 'invalid value "fast"'),
    ],
)
def test_refused(text: str, message: str) -> None:
    with pytest.raises(ConfigError) as caught:
        load_http(text)
    assert str(caught.value).startswith(message)
