from __future__ import annotations

import ssl
from pathlib import Path

import pytest
import trio
from cryptography.hazmat.primitives import serialization

from gateway.config.errors import ConfigError
from tests import certificates
from tests.engine import load_http, read_reply, serving
from tests.http.test_handshake import GET, site


async def ask(config: str, context: ssl.SSLContext | None = None) -> bytes:
    async with serving(config) as engine:
        return read_reply(await certificates.exchange(engine, context or certificates.client_context(), GET)).body


async def test_variables(tmp_path: Path) -> None:
    text = "$https/$ssl_protocol/$ssl_cipher/$ssl_server_name/$ssl_session_reused/$ssl_alpn_protocol"
    context = certificates.client_context()
    context.set_alpn_protocols(["unknown", "http/1.1"])
    found = await ask(site(tmp_path, location=f'return 200 "{text}";'), context)
    assert found == b"on/TLSv1.3/TLS_AES_256_GCM_SHA384/localhost/./http/1.1"


async def test_what_the_client_offered(tmp_path: Path) -> None:
    context = certificates.client_context()
    context.maximum_version = ssl.TLSVersion.TLSv1_2
    context.set_ciphers("ECDHE-RSA-AES128-GCM-SHA256:ECDHE-ECDSA-AES128-GCM-SHA256")
    found = await ask(site(tmp_path, location='return 200 "$ssl_ciphers $ssl_session_id";'), context)
    ciphers, _, session = found.partition(b" ")
    assert ciphers.split(b":")[:2] == [b"ECDHE-RSA-AES128-GCM-SHA256", b"ECDHE-ECDSA-AES128-GCM-SHA256"]
    assert len(session) in (0, 64)


async def test_variables_without_tls() -> None:
    values = "$ssl_protocol$ssl_cipher$ssl_ciphers$ssl_session_id$https"
    async with serving(f'server {{ return 200 "[{values}]"; }}') as engine:
        assert (await engine.get("/")).body == b"[]"


async def test_redirects_are_to_https(tmp_path: Path) -> None:
    async with serving(site(tmp_path, location="return 301 /there;")) as engine:
        reply = read_reply(await certificates.exchange(engine, certificates.client_context(), GET))
        assert (reply.header("location") or b"").startswith(b"https://localhost")


@pytest.mark.parametrize("tickets", ["on", "off"])
@pytest.mark.parametrize("version", ["TLSv1_2", "TLSv1_3"])
async def test_sessions(tmp_path: Path, tickets: str, version: str) -> None:
    """A session goes on in another connection, by a ticket or from the worker's memory."""
    context = certificates.client_context()
    context.maximum_version = ssl.TLSVersion[version]
    config = site(
        tmp_path,
        f"ssl_session_tickets {tickets}; ssl_session_cache shared:a:1m;",
        location="return 200 $ssl_session_reused;",
    )
    session: ssl.SSLSession | None = None
    bodies = []
    async with serving(config) as engine:
        for _ in range(2):
            incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
            client = context.wrap_bio(incoming, outgoing, server_hostname="localhost", session=session)
            plain = engine.connect()
            received = b""
            sent = False
            while True:
                try:
                    if not sent:
                        client.do_handshake()
                        client.write(GET)
                        sent = True
                    data = client.read()
                    if not data:
                        break
                    received += data
                except ssl.SSLWantReadError:
                    await plain.send_all(outgoing.read())
                    incoming.write(await plain.receive_some())
            session = client.session
            bodies.append(read_reply(received).body)
            await plain.aclose()
    assert bodies == [b".", b"r"]


async def test_protocols_and_ciphers(tmp_path: Path) -> None:
    context = certificates.client_context()
    config = site(
        tmp_path,
        "ssl_protocols TLSv1.2; ssl_ciphers ECDHE-RSA-AES128-GCM-SHA256:ECDHE-ECDSA-AES128-GCM-SHA256;",
        location='return 200 "$ssl_protocol $ssl_cipher";',
    )
    found = await ask(config, context)
    assert found.startswith(b"TLSv1.2 ECDHE-") and found.endswith(b"-AES128-GCM-SHA256")
    context.minimum_version = ssl.TLSVersion.TLSv1_3
    async with serving(config) as engine:
        with pytest.raises(trio.BrokenResourceError):
            await certificates.exchange(engine, context, GET)


def server(*directives: str, http: str = "") -> str:
    return http + "server { listen 127.0.0.1:8443 ssl; " + " ".join(directives) + " }"


def test_what_is_missing(tmp_path: Path) -> None:
    chain, key = certificates.write(tmp_path)
    for text, message in (
        (server(), r'no "ssl_certificate" is defined for the "listen ... ssl" directive in nginx.conf:2'),
        (server(f"ssl_certificate {chain};"), f'no "ssl_certificate_key" is defined for certificate "{chain}" in'),
        (
            "server { listen 127.0.0.1:8443 ssl; ssl_reject_handshake on; }" + server(),
            'no "ssl_certificate" is defined for the "listen ... ssl" directive',
        ),
    ):
        with pytest.raises(ConfigError, match=message):
            load_http(text)
    load_http(server(f"ssl_certificate_key {key};", http=f"ssl_certificate {chain};"))
    load_http("server { ssl_certificate_key nowhere; }")
    with pytest.raises(ConfigError, match='no servers in upstream "u"'):  # of two mistakes nginx finds this one first
        load_http("upstream u { server 127.0.0.1:1 backup; } server { listen 1 ssl; }")


def test_of_two_certificates_the_one_that_is_missing_is_shown(tmp_path: Path) -> None:
    """As certbot leaves them: the key stands below, and it is not the key that is missing."""
    chain, key = certificates.write(tmp_path)
    good, its_key = f"ssl_certificate {chain}", f"ssl_certificate_key {key}"
    lines = [good, its_key, "ssl_certificate /no/c", its_key]
    with pytest.raises(ConfigError, match=r'cannot load certificate "/no/c".* in nginx\.conf:5'):
        load_http("server { listen 1 ssl;\n" + ";\n".join(lines) + "; }")


def test_what_is_wrong(tmp_path: Path) -> None:
    chain, key = certificates.write(tmp_path)
    pair = f"ssl_certificate {chain}; ssl_certificate_key {key};"
    for more, message in (
        ("ssl_ciphers NO;", r'SSL_CTX_set_cipher_list\("NO"\) failed .* in nginx.conf:2'),
        ("ssl_protocols TLSv1.4;", 'invalid value "TLSv1.4" in nginx.conf:2'),
        ("ssl_session_cache wrong;", 'invalid session cache "wrong" in'),
        ("ssl_session_cache shared:a;", 'invalid session cache "shared:a" in'),
        ("ssl_session_cache shared:a:1k;", 'session cache "shared:a:1k" is too small in'),
        ("ssl_ecdh_curve nothing;", 'SSL_CTX_set1_curves_list\\("nothing"\\) failed.* in'),
        ("ssl_dhparam /nowhere;", 'BIO_new_file\\("/nowhere"\\) failed'),
        ("ssl_password_file /nowhere;", 'open\\(\\) "/nowhere" failed'),
        ("ssl_certificate /nowhere; ssl_certificate_key /nowhere;", 'cannot load certificate "/nowhere": BIO_new_file'),
    ):
        with pytest.raises(ConfigError, match=message):
            load_http(server(pair, more))
    for more in ("ssl_session_cache builtin:1000 shared:a:1m;", "ssl_session_cache off;", "ssl_buffer_size 4k;"):
        load_http(server(pair, more))


def test_an_empty_file_of_passwords_asks_nobody(tmp_path: Path) -> None:
    """As in nginx: the terminal is asked where there is no such file."""
    chain, key = certificates.write(tmp_path)
    made = serialization.load_pem_private_key(key.read_bytes(), None)
    how = serialization.BestAvailableEncryption(b"secret")
    data = made.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, how)
    (tmp_path / "encrypted.key").write_bytes(data)
    (tmp_path / "none").write_text("\n")
    pair = f"ssl_certificate {chain}; ssl_certificate_key {tmp_path}/encrypted.key;"
    with pytest.raises(ConfigError, match="PEM_read_bio_PrivateKey") as caught:
        load_http(server(pair, f"ssl_password_file {tmp_path}/none;"))
    assert "UI routines" not in str(caught.value)


def test_servers_with_the_same_settings_share_a_context(tmp_path: Path) -> None:
    chain, key = certificates.write(tmp_path)
    servers = "".join(f"server {{ listen 127.0.0.1:8443 ssl; server_name {name}; }}" for name in "ab")
    cycle = load_http(f"ssl_certificate {chain}; ssl_certificate_key {key};" + servers)
    assert cycle.servers[0].tls is not None
    assert len({id(one.tls) for one in cycle.servers}) == 1


@pytest.mark.parametrize("cache", ["", "ssl_certificate_cache max=2;"])
async def test_certificates_that_variables_name(tmp_path: Path, cache: str) -> None:
    certificates.write(tmp_path, "a.example", stem="a.example")
    certificates.write(tmp_path, "b.example", stem="b.example")
    config = f"""
        server {{
            listen 127.0.0.1:8443 ssl; {cache}
            ssl_certificate {tmp_path}/$ssl_server_name.pem; ssl_certificate_key {tmp_path}/$ssl_server_name.key;
            return 200 $ssl_server_name;
        }}"""
    context = certificates.client_context()
    async with serving(config) as engine:
        for name in ("a.example", "b.example", "a.example"):
            assert read_reply(await certificates.exchange(engine, context, GET, name)).body == name.encode()
        with pytest.raises(trio.BrokenResourceError):
            await certificates.exchange(engine, context, GET, "c.example")
        wanted = f'cannot load certificate "{tmp_path}/c.example.pem": BIO_new_file() failed'
        assert any(wanted in line for line in engine.log.lines)
        assert any("cert cb error) while SSL handshaking" in line for line in engine.log.lines)
