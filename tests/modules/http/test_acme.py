"""The directives of ACME; tests/process/test_acme.py asks a real authority."""

from __future__ import annotations

from pathlib import Path

import pytest

from gateway.config.errors import ConfigError
from gateway.modules.http import acme
from tests.engine import load_http, serving

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
        ("challenge tls-alpn-01;", "is not supported yet"),
        ("challenge nonsense;", 'invalid value "nonsense"'),
        ("challenge dns-01;", '"challenge dns-01" needs "hook"'),
        ("hook /nowhere;", '"/nowhere" is no program'),
        ("account_key rsa:1000;", 'invalid value "rsa:1000"'),
        ("account_key ecdsa:384;", 'invalid value "ecdsa:384"'),
        ("ssl_verify maybe;", 'it must be "on" or "off"'),
        ("state_path off;", "is not supported"),
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
        (SERVER % "acme_certificate b;", 'acme issuer "b" is not defined'),
        (ISSUER % "" + SERVER % "acme_certificate a; acme_certificate a;", "is duplicate"),
        (ISSUER % "" + SERVER % "acme_certificate a key=x;", 'invalid parameter "key=x"'),
        (ISSUER % "" + SERVER % "acme_certificate a *.a.example;", "wildcards need challenge dns-01"),
        (ISSUER % "" + SERVER % "acme_certificate a a_b/c;", "it is no host name"),
        (ISSUER % "" + "server { listen 80; acme_certificate a; }", "no names for the certificate"),
        (ISSUER % "sync;" + SERVER % "acme_certificate a;", '"sync" needs to know where'),
        ("zone_sync_store redis://a;" + ISSUER % "sync;" + SERVER % "acme_certificate a;", 'needs "ticket_key"'),
        ("acme_shared_zone nonsense;" + SERVER % "", 'invalid parameter "nonsense"'),
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
    ("text", "key"),
    [("ecdsa", ("ecdsa", 256)), ("ecdsa:521", ("ecdsa", 521)), ("rsa", ("rsa", 2048)), ("rsa:", ("rsa", 2048)),
     ("rsa:x", None), ("dsa", None)],
)  # fmt: skip
def test_keys(text: str, key: object) -> None:
    assert acme._key(text) == key
