"""The directives of ACME; tests/process/test_acme.py asks a real authority."""

from __future__ import annotations

import contextlib
import hashlib
import ssl
from pathlib import Path

import pytest
import trio
from cryptography import x509

from gateway.config.errors import ConfigError
from gateway.core.acme_store import AlpnSolver, Issuer
from gateway.modules.http import acme
from tests import certificates
from tests.engine import Engine, load_http, serving

ISSUER = "acme_issuer a { uri https://ca.example/dir; %s }"


def _complaint(text: str) -> str:
    with pytest.raises(ConfigError) as caught:
        load_http(text)
    return str(caught.value)


SERVER = "server { listen 127.0.0.1:80; server_name a.example; %s }"


@pytest.mark.parametrize(
    ("issuer", "says"),
    [
        ("uri http://ca.example/;", '"uri" directive is duplicate'),
        ("nonsense on;", 'unknown directive "nonsense"'),
        ("contact;", 'invalid number of arguments in "contact" directive'),
        ("challenge nonsense;", 'unsupported challenge "nonsense": http-01, tls-alpn-01, dns-01 are known'),
        ("challenge dns-01;", '"challenge dns-01" needs "hook"'),
        ("hook /nowhere;", '"/nowhere" is no program'),
        ("account_key rsa:1000;", 'unsupported key size "1000": 2048, 3072, 4096 are known'),
        ("account_key ecdsa:255;", 'unsupported curve "255": 256, 384, 521 are known'),
        ("account_key /nowhere;", 'cannot load account key "/nowhere" (2: No such file or directory)'),
        ("account_key /dev/null;", 'cannot load account key "/dev/null" (there is no private key in it)'),
        ("common_name_in_csr 1;", 'invalid value "1" in "common_name_in_csr" directive, it must be "on" or "off"'),
        ("ssl_verify maybe;", 'it must be "on" or "off"'),
        ("profile x y;", 'invalid parameter "y"'),
        ("external_account_key k /nowhere;", 'open() "/nowhere" failed (2: No such file or directory)'),
        ("external_account_key k data:é;", "is no base64url"),
    ],
)
def test_what_an_issuer_may_not_say(issuer: str, says: str) -> None:
    assert says in _complaint(ISSUER % issuer + SERVER % "")


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("acme_issuer a { }" + SERVER % "", '"uri" is missing in acme issuer "a"'),
        ("acme_issuer a { uri http://x/; }" + SERVER % "", "an ACME server has https://"),
        (ISSUER % "" + ISSUER % "" + SERVER % "", 'duplicate acme issuer "a"'),
        (SERVER % "acme_certificate b;", 'acme issuer "b" is missing'),
        (ISSUER % "" + SERVER % "acme_certificate a; acme_certificate a;", "is duplicate"),
        (ISSUER % "" + SERVER % "acme_certificate a key=x;", 'invalid parameter "key=x"'),
        (ISSUER % "" + SERVER % "acme_certificate a *.a.example;", "wildcards need challenge dns-01"),
        (ISSUER % "" + SERVER % "acme_certificate a a_b/c;", "it is no host name"),
        (ISSUER % "" + "server { listen 80; acme_certificate a; }", "no identifiers for the certificate"),
        (ISSUER % "" + SERVER % "acme_certificate a .a..example;", 'invalid server name "www.a..example"'),
        (ISSUER % "" + SERVER % "acme_certificate a www.a.*;", 'invalid server name "www.a.*"'),
        (ISSUER % "sync;" + SERVER % "acme_certificate a;", '"sync" needs to know where'),
        ("zone_sync_store redis://a;" + ISSUER % "sync;" + SERVER % "acme_certificate a;", 'needs "ticket_key"'),
        (f"zone_sync_store redis://a; {ISSUER % 'sync; state_path off;'}", '"sync" needs files, and acme issuer "a"'),
        ("acme_shared_zone nonsense;" + SERVER % "", '"acme_shared_zone" directive must have "zone" parameter'),
        ("acme_shared_zone zone=a:b;" + SERVER % "", 'invalid zone size "zone=a:b"'),
        ("acme_shared_zone zone=a:1k;" + SERVER % "", 'invalid zone size "zone=a:1k"'),
    ],
)
def test_what_is_refused(text: str, says: str) -> None:
    assert says in _complaint(text)


async def test_http_01_comes_before_all_else(tmp_path: Path) -> None:
    issuer = ISSUER % f"state_path {tmp_path}/state;"
    async with serving(f"{issuer} {SERVER % 'acme_certificate a; return 301 https://$host/;'}") as engine:
        assert (await engine.get("/.well-known/acme-challenge/a-Token_1")).status == 301
        folder = tmp_path / "state" / "challenges"
        folder.mkdir(parents=True)
        (folder / "a-Token_1").write_text("a-Token_1.print")
        (tmp_path / "state" / "account.key").write_text("private")
        reply = await engine.get("/.well-known/acme-challenge/a-Token_1")
        assert (reply.status, reply.body) == (200, b"a-Token_1.print")
        for path in ("", "a-Token_2", "../account.key", "%2e%2e/account.key", "..%2faccount.key", "a-Token_1/"):
            assert (await engine.get(f"/.well-known/acme-challenge/{path}")).status == 301


async def test_who_does_not_use_it_is_not_asked() -> None:
    async with serving(f"{ISSUER % ''} {SERVER % 'return 204;'}") as engine:
        assert (await engine.get("/.well-known/acme-challenge/x")).status == 204


@pytest.mark.parametrize(
    ("text", "key"), [("ecdsa", ("ecdsa", 256)), ("ecdsa:521", ("ecdsa", 521)), ("rsa", ("rsa", 2048))]
)
def test_keys(text: str, key: object) -> None:
    assert acme._key(text) == key


@pytest.mark.parametrize("text", ["rsa:", "rsa:x", "dsa", "ecdsa:2048"])
def test_no_keys(text: str) -> None:
    with pytest.raises(ValueError, match="unsupported"):
        acme._key(text)


def test_a_name_with_a_dot_in_front_is_two() -> None:
    server = "server { server_name .a.example b.example; acme_certificate a; }"
    cycle = load_http(ISSUER % "state_path /tmp/none;" + server)
    asked = cycle.servers[0].confs[acme.module].asked
    assert asked.made[1].hosts == ("www.a.example", "a.example", "b.example")


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
async def test_tls_alpn_01(tmp_path: Path, version: ssl.TLSVersion) -> None:
    """Who offers acme-tls/1 alone sees the proof and nothing else, whatever the server's own certificate is."""
    issuer = ISSUER % f"state_path {tmp_path}/state; challenge tls-alpn;"
    chain, key = certificates.write(tmp_path)
    (tmp_path / "state").mkdir()
    solver = AlpnSolver(Issuer("a", str(tmp_path / "state")))
    solver.show("a.example", "token", "token.print")
    text = f"""{issuer} {SERVER % "acme_certificate a;"}
        server {{ listen 127.0.0.1:443 ssl; ssl_certificate {chain}; ssl_certificate_key {key}; return 200 own; }}
        server {{ listen 127.0.0.1:443 ssl; server_name a.example; ssl_certificate {chain}; ssl_certificate_key {key};
                  return 200 a; }}"""
    client = ssl.create_default_context()
    client.check_hostname, client.verify_mode = False, ssl.CERT_NONE
    client.minimum_version = client.maximum_version = version
    get = b"GET / HTTP/1.1\r\nHost: a.example\r\nConnection: close\r\n\r\n"

    async def shake(engine: Engine, *protocols: str) -> tuple[str | None, bytes, bytes]:
        client.set_alpn_protocols(list(protocols))
        wire = engine.connect(1)
        stream = trio.SSLStream(wire, client, server_hostname="a.example", https_compatible=True)
        try:
            await stream.do_handshake()
        except trio.BrokenResourceError:
            await wire.aclose()
            raise
        seen = stream.getpeercert(binary_form=True)
        received = b""
        with contextlib.suppress(trio.BrokenResourceError):
            await stream.send_all(get)
            async for part in stream:
                received += part
        await stream.aclose()
        return stream.selected_alpn_protocol(), seen, received

    async with serving(text) as engine:
        protocol, seen, received = await shake(engine, "acme-tls/1")
        assert (protocol, received) == ("acme-tls/1", b"")
        shown = x509.load_der_x509_certificate(seen)
        names = shown.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
        assert names.get_values_for_type(x509.DNSName) == ["a.example"]
        identifier = shown.extensions.get_extension_for_oid(x509.ObjectIdentifier("1.3.6.1.5.5.7.1.31"))
        assert identifier.critical
        assert isinstance(identifier.value, x509.UnrecognizedExtension)
        assert identifier.value.value == b"\x04\x20" + hashlib.sha256(b"token.print").digest()
        protocol, seen, received = await shake(engine, "http/1.1", "acme-tls/1")
        assert (protocol, received[-1:]) == ("http/1.1", b"a")
        assert x509.load_der_x509_certificate(seen) != shown
        solver.hide("a.example", "token", "token.print")
        with pytest.raises(trio.BrokenResourceError):
            await shake(engine, "acme-tls/1")
        assert any("no application protocol" in line for line in engine.log.lines)


def test_names_that_lead_elsewhere(tmp_path: Path) -> None:
    (tmp_path / "challenges").mkdir()
    (tmp_path / "x.pem").write_text("private")
    issuer = Issuer("a", str(tmp_path))
    for name in (b"", b"../x", b"..", b".", b"a/b", b"a\0b", b"none.example"):
        assert issuer.proof(name) is None
    solver = AlpnSolver(issuer)
    solver.show("192.0.2.1", "t", "a")
    assert (issuer.proof(b"1.2.0.192.IN-ADDR.ARPA") or "").startswith("data:-----BEGIN")
