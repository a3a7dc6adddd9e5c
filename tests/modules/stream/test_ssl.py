"""TLS with clients of the stream block."""

from __future__ import annotations

import contextlib
import ssl
from pathlib import Path

import pytest
import trio

from gateway.config.errors import ConfigError
from tests import certificates
from tests.stream_engine import Engine, load_stream, serving


def server(folder: Path, more: str, name: str = "localhost", listen: str = "127.0.0.1:1 ssl") -> str:
    chain, key = certificates.write(folder, name, stem=name)
    pair = f"ssl_certificate {chain}; ssl_certificate_key {key};"
    return f"server {{ listen {listen}; server_name {name}; {pair} {more} }}"


async def ask(
    engine: Engine, name: str = "localhost", context: ssl.SSLContext | None = None, first: bytes = b""
) -> bytes:
    received = b""
    async with engine.connect() as plain:
        if first:
            await plain.send_all(first)
        stream = trio.SSLStream(
            plain, context or certificates.client_context(), server_hostname=name, https_compatible=True
        )
        await stream.do_handshake()
        with contextlib.suppress(trio.BrokenResourceError):
            async for chunk in stream:
                received += chunk
    return received


async def test_variables_and_the_name(tmp_path: Path) -> None:
    text = "return $ssl_protocol/$ssl_server_name/$ssl_session_reused/$server_name;"
    conf = server(tmp_path, text) + server(tmp_path, text, "other.example")
    async with serving(conf) as engine:
        assert await ask(engine) == b"TLSv1.3/localhost/./localhost"
        assert await ask(engine, "other.example") == b"TLSv1.3/other.example/./other.example"
        with pytest.raises(trio.BrokenResourceError):  # nobody's name: the default server's certificate
            await ask(engine, "nobody.example")
        await engine.ended()


async def test_protocols(tmp_path: Path) -> None:
    context = certificates.client_context()
    context.set_alpn_protocols(["b", "a"])
    async with serving(server(tmp_path, "ssl_alpn a b; return $ssl_alpn_protocol;")) as engine:
        assert await ask(engine, context=context) == b"a"
        context.set_alpn_protocols(["c"])
        with pytest.raises(trio.BrokenResourceError):
            await ask(engine, context=context)
        assert engine.logged("no application protocol")


async def test_client_certificates(tmp_path: Path) -> None:
    verify = f"ssl_verify_client on; ssl_client_certificate {certificates.write_authority(tmp_path)};"
    async with serving(server(tmp_path, f"{verify} return $ssl_client_verify;")) as engine:
        context = certificates.client_context()
        assert await ask(engine, context=context) == b""  # nginx closes
        assert engine.logged("client sent no required SSL certificate while SSL handshaking, client: 127.0.0.1")
        certificates.authority().issue_cert("client.example").configure_cert(context)
        assert await ask(engine, context=context) == b"SUCCESS"


async def test_a_handshake_that_fails_or_lasts(tmp_path: Path) -> None:
    async with serving(server(tmp_path, "ssl_handshake_timeout 300ms; return x;")) as engine:
        assert (await engine.talk(b"\x16\x03\x01\x00\x05hello"))[:1] == b"\x15"
        line = engine.logged("SSL_do_handshake() failed (SSL: error:")[0]
        assert "[info]" in line and "while SSL handshaking, client: 127.0.0.1" in line
        began = trio.current_time()
        assert await engine.talk(b"\x16\x03\x01") == b""
        assert 0.25 < trio.current_time() - began < 5


async def test_a_server_that_rejects(tmp_path: Path) -> None:
    rejecting = "server { listen 127.0.0.1:1 ssl default_server; ssl_reject_handshake on; return x; }"
    async with serving(rejecting + server(tmp_path, "return y;")) as engine:
        assert await ask(engine) == b"y"
        with pytest.raises(trio.BrokenResourceError):
            await ask(engine, "nobody.example")


async def test_proxy_protocol_comes_first(tmp_path: Path) -> None:
    conf = server(tmp_path, "return $proxy_protocol_addr;", listen="127.0.0.1:1 ssl proxy_protocol")
    async with serving(conf) as engine:
        assert await ask(engine, first=b"PROXY TCP4 192.0.2.1 192.0.2.2 1000 443\r\n") == b"192.0.2.1"


async def test_certificates_that_variables_name(tmp_path: Path) -> None:
    certificates.write(tmp_path, "a.example", stem="a.example")
    conf = f"""
        server {{
            listen 127.0.0.1:1 ssl; return $ssl_server_name;
            ssl_certificate {tmp_path}/$ssl_server_name.pem; ssl_certificate_key {tmp_path}/$ssl_server_name.key;
        }}"""
    async with serving(conf) as engine:
        assert await ask(engine, "a.example") == b"a.example"
        with pytest.raises(trio.BrokenResourceError):
            await ask(engine, "b.example")
        assert engine.logged(f'cannot load certificate "{tmp_path}/b.example.pem": BIO_new_file() failed')


def test_what_is_wrong(tmp_path: Path) -> None:
    for more, message in (
        ("ssl_ciphers NO;", r'SSL_CTX_set_cipher_list\("NO"\) failed'),
        ("ssl_alpn a; ssl_alpn b;", '"ssl_alpn" directive is duplicate'),
        (f"ssl_alpn {'a' * 256};", '"ssl_alpn" directive protocol too long'),
        ("ssl_verify_client on;", "no ssl_client_certificate or ssl_trusted_certificate for ssl_verify_client"),
    ):
        with pytest.raises(ConfigError, match=message):
            load_stream(server(tmp_path, more + "return x;"))
    with pytest.raises(ConfigError, match=r'no "ssl_certificate" is defined for the "listen \.\.\. ssl" directive'):
        load_stream("server { listen 1 ssl; return x; }")
    with pytest.raises(ConfigError, match='no servers in upstream "u"'):  # of two mistakes nginx finds this one first
        load_stream("upstream u { server 127.0.0.1:1 backup; } server { listen 1 ssl; proxy_pass u; }")
