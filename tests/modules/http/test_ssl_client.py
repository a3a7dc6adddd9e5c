"""ssl_verify_client, and what is known of a client's certificate."""

from __future__ import annotations

import ssl
from pathlib import Path

import pytest
import trustme

from gateway.config.errors import ConfigError
from tests import certificates
from tests.engine import Reply, load_http, read_reply, serving
from tests.http.test_handshake import GET, site


def with_certificate(issuer: trustme.CA | None = None) -> ssl.SSLContext:
    context = certificates.client_context()
    issued = (issuer or certificates.authority()).issue_cert("client.example", common_name="client.example")
    issued.configure_cert(context)
    return context


async def ask(config: str, context: ssl.SSLContext, name: str = "localhost") -> tuple[Reply, list[str]]:
    async with serving(config) as engine:
        return read_reply(await certificates.exchange(engine, context, GET, name)), engine.log.lines


@pytest.mark.parametrize(
    ("mode", "who", "status", "verify"),
    [
        ("on", "known", 200, b"SUCCESS"),
        ("on", "unknown", 400, b"The SSL certificate error"),
        ("on", "nobody", 400, b"No required SSL certificate was sent"),
        ("optional", "known", 200, b"SUCCESS"),
        ("optional", "unknown", 400, b"The SSL certificate error"),
        ("optional", "nobody", 200, b"NONE"),
        ("optional_no_ca", "unknown", 200, b"FAILED:unable to verify the first certificate"),
        ("optional_no_ca", "nobody", 200, b"NONE"),
        ("off", "known", 200, b"NONE"),
    ],
)
@pytest.mark.parametrize("version", ["TLSv1_2", "TLSv1_3"])
async def test_modes(tmp_path: Path, mode: str, who: str, status: int, verify: bytes, version: str) -> None:
    contexts = {
        "known": with_certificate,
        "unknown": lambda: with_certificate(trustme.CA()),
        "nobody": certificates.client_context,
    }
    context = contexts[who]()
    context.maximum_version = ssl.TLSVersion[version]
    more = f"ssl_verify_client {mode}; ssl_client_certificate {certificates.write_authority(tmp_path)};"
    reply, lines = await ask(site(tmp_path, more, location="return 200 $ssl_client_verify;"), context)
    assert reply.status == status and verify in reply.body
    if who == "unknown" and status == 400:
        words = "client SSL certificate verify error: (21:unable to verify the first certificate)"
        assert any(f"{words} while reading client request headers," in line for line in lines)


async def test_variables(tmp_path: Path) -> None:
    names = ["s_dn", "i_dn", "s_dn_legacy", "serial", "fingerprint", "v_start", "v_end", "v_remain"]
    text = "|".join(f"$ssl_client_{name}" for name in names)
    more = f"ssl_verify_client on; ssl_client_certificate {certificates.write_authority(tmp_path)};"
    reply, _ = await ask(site(tmp_path, more, location=f'return 200 "{text}";'), with_certificate())
    found = dict(zip(names, reply.body.decode().split("|"), strict=True))
    assert found["s_dn"].startswith("CN=client.example,") and "OU=Testing CA" in found["i_dn"]
    assert found["s_dn_legacy"].startswith("/O=trustme") and found["s_dn_legacy"].endswith("/CN=client.example")
    assert len(found["serial"]) % 2 == 0 and int(found["serial"], 16)
    assert len(found["fingerprint"]) == 40
    assert found["v_start"].endswith(" GMT") and found["v_end"].endswith(" GMT")
    assert found["v_remain"].isdigit()


async def test_the_certificate_itself(tmp_path: Path) -> None:
    more = f"ssl_verify_client on; ssl_client_certificate {certificates.write_authority(tmp_path)};"
    values = '"$ssl_client_raw_cert|$ssl_client_cert|$ssl_client_escaped_cert"'
    reply, _ = await ask(site(tmp_path, more, location=f"return 200 {values};"), with_certificate())
    raw, tabbed, escaped = reply.body.split(b"|")
    assert raw.startswith(b"-----BEGIN CERTIFICATE-----\n") and raw.endswith(b"-----END CERTIFICATE-----\n")
    assert tabbed == raw[:-1].replace(b"\n", b"\n\t")
    assert escaped.startswith(b"-----BEGIN%20CERTIFICATE-----%0A")


async def test_another_host_than_was_negotiated(tmp_path: Path) -> None:
    more = f"ssl_verify_client optional; ssl_client_certificate {certificates.write_authority(tmp_path)};"
    config = site(tmp_path, more)
    config += config.replace("server_name localhost", "server_name other.example")
    async with serving(config) as engine:
        question = GET.replace(b"localhost", b"other.example")
        reply = read_reply(await certificates.exchange(engine, with_certificate(), question))
        assert reply.status == 421


async def test_a_big_answer(tmp_path: Path) -> None:
    (tmp_path / "big").write_bytes(b"x" * 1_000_000)
    more = f"ssl_verify_client on; ssl_client_certificate {certificates.write_authority(tmp_path)}; root {tmp_path};"
    config = site(tmp_path, more, location="")
    async with serving(config) as engine:
        received = await certificates.exchange(engine, with_certificate(), GET.replace(b"GET /", b"GET /big"))
        assert read_reply(received).body == b"x" * 1_000_000


def test_what_is_missing(tmp_path: Path) -> None:
    words = "no ssl_client_certificate or ssl_trusted_certificate for ssl_verify_client"
    with pytest.raises(ConfigError, match=words):
        load_http(site(tmp_path, "ssl_verify_client on;"))
    load_http(site(tmp_path, "ssl_verify_client optional_no_ca;"))
    _, key = certificates.write(tmp_path)
    with pytest.raises(ConfigError, match=r'cannot load certificate ".*server.key": PEM_read_bio_X509_AUX'):
        load_http(site(tmp_path, f"ssl_verify_client on; ssl_client_certificate {key};"))
    with pytest.raises(ConfigError, match=r'cannot load CRL ".*server.key"'):
        load_http(site(tmp_path, f"ssl_verify_client optional_no_ca; ssl_crl {key};"))
