"""pass: a connection goes on at another listening socket."""

from __future__ import annotations

from pathlib import Path

import pytest
import trio

from gateway.config.errors import ConfigError
from tests import certificates
from tests.protocol.test_client_hello import hello
from tests.stream.test_datagrams import client
from tests.stream_engine import load_stream, serving

CONF = """
server { listen 127.0.0.1:1; pass 127.0.0.1:2; }
server { listen 127.0.0.1:2; return "two"; }
server { listen 127.0.0.1:3; set $to 127.0.0.1:2; pass $to; }
server { listen 127.0.0.1:4; pass 127.0.0.1:4; }
server { listen 127.0.0.1:5; pass 127.0.0.1:99; }
server { listen 127.0.0.1:6; pass 192.0.2.1:7; }
server { listen 7; return "any"; }
server { listen 127.0.0.1:8 udp; pass 127.0.0.1:2; }
server { listen 127.0.0.1:9; set $to a.test:1; pass $to; }
server { listen 127.0.0.1:10; set $to 127.0.0.1; pass $to; }
"""


async def test_where_it_goes_on() -> None:
    async with serving(CONF) as engine:
        answers = [await engine.talk(listening=number) for number in (0, 2, 3, 4, 5, 8, 9)]
        assert answers == [b"two", b"two", b"", b"", b"any", b"", b""]
        assert engine.logged("stream pass cycle while passing connection to port")
        assert engine.logged('port not found for "127.0.0.1:99"')
        assert engine.logged('no addresses in pass "a.test:1"')
        assert engine.logged('no port in pass "127.0.0.1"')
        with engine.receiving(7) as port:
            async with client(port) as one:
                await one.send(b"a")
                with trio.fail_after(5):
                    while not engine.logged("cannot pass udp connection"):
                        await trio.sleep(0.01)


async def test_what_was_read_to_look_at_it_goes_with_a_plain_connection() -> None:
    conf = """
        server { listen 127.0.0.1:1; ssl_preread on; pass 127.0.0.1:2; }
        server { listen 127.0.0.1:2; ssl_preread on; return $ssl_preread_server_name; }
    """
    async with serving(conf) as engine:
        assert await engine.talk(hello("a.example")) == b"a.example"


def with_tls(folder: Path, more: str) -> str:
    chain, key = certificates.write(folder)
    return f"""
        ssl_certificate {chain}; ssl_certificate_key {key};
        server {{ listen 127.0.0.1:1 ssl; {more} pass 127.0.0.1:2; }}
        server {{ listen 127.0.0.1:2; return "$ssl_protocol $ssl_server_name"; }}
    """


async def test_tls_stays(tmp_path: Path) -> None:
    """Which listening socket goes on with it is a matter of its owner; here it is one without TLS, and one with."""
    conf = with_tls(tmp_path, "")
    for text in (conf, conf.replace("listen 127.0.0.1:2;", "listen 127.0.0.1:2 ssl;")):
        async with serving(text) as engine:
            stream = trio.SSLStream(
                engine.connect(0), certificates.client_context(), server_hostname="localhost", https_compatible=True
            )
            with trio.fail_after(5):
                assert await stream.receive_some() == b"TLSv1.3 localhost"
            await stream.aclose()


async def test_what_was_decrypted_does_not_go_with_it(tmp_path: Path) -> None:
    async with serving(with_tls(tmp_path, "ssl_preread on;")) as engine:
        stream = trio.SSLStream(
            engine.connect(0), certificates.client_context(), server_hostname="localhost", https_compatible=True
        )
        with trio.fail_after(5):
            await stream.send_all(b"GET / HTTP/1.0\r\n\r\n")
            assert await stream.receive_some() == b""
            await stream.aclose()
        assert engine.logged("cannot pass connection with preread data while passing connection to port")


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("pass 127.0.0.1;", '"pass" directive has no port'),
        ("pass a.test:1;", '"pass" directive has no addresses'),
        ("pass 127.0.0.1:1; pass 127.0.0.1:2;", '"pass" directive is duplicate'),
        ("pass a:b;", 'invalid port in "a:b" of the "pass" directive'),
    ],
)
def test_refused(line: str, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        load_stream(f"server {{ listen 1; {line} }}")
