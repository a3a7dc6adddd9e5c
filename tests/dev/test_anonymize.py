from __future__ import annotations

from pathlib import Path

import pytest

from gateway.config.parser import load, parse
from gateway.dev.anonymize import MASK, Names, anonymize, without_secrets
from tests.conformance.test_mistakes import MISTAKES


@pytest.mark.parametrize(
    ("line", "shown"),
    [
        ("secure_link_secret hunter2;", f"secure_link_secret {MASK};"),
        ('secure_link_md5 "$uri hunter2";', f'secure_link_md5 "{MASK}";'),
        ('proxy_set_header Authorization "Basic dXNlcjpwYXNz";', f'proxy_set_header Authorization "{MASK}";'),
        ("proxy_set_header Authorization $http_authorization;", "proxy_set_header Authorization $http_authorization;"),
        ("proxy_set_header X-Api-Key abc;", f"proxy_set_header X-Api-Key {MASK};"),
        ("proxy_set_header Host $host;", "proxy_set_header Host $host;"),
        ("uwsgi_param DB_PASSWORD 'x y';", f"uwsgi_param DB_PASSWORD '{MASK}';"),
        ("env SECRET_KEY=abc;", f"env SECRET_KEY={MASK};"),
        ("env PATH;", "env PATH;"),
        ("set $token abc;", f"set $token {MASK};"),
        ('if ($http_x_token != "abc") { return 403; }', f'if ($http_x_token != "{MASK}") {{ return 403; }}'),
        ("if ($arg_token = abc) { return 403; }", f"if ($arg_token = {MASK}) {{ return 403; }}"),
        ("if ($request_method = POST) { return 405; }", "if ($request_method = POST) { return 405; }"),
        ("map $http_x_api_key $a { default b; abc c; }", f"map $http_x_api_key $a {{ default b; {MASK} c; }}"),
        ("map $uri $api_token { /a abc; }", f"map $uri $api_token {{ /a {MASK}; }}"),
        ("map $uri $place { /a abc; }", "map $uri $place { /a abc; }"),
        ("zone_sync_store redis://me:pass@10.0.0.1/0;", f"zone_sync_store redis://{MASK}@10.0.0.1/0;"),
        ("zone_sync_store 10.0.0.1 password=x;", f"zone_sync_store 10.0.0.1 password={MASK};"),
        ("proxy_pass http://a/?token=x&b=c;", f"proxy_pass http://a/?token={MASK}&b=c;"),
        ("ssl_certificate_key data:-----BEGIN;", f"ssl_certificate_key data:{MASK};"),
        ("external_account_key kid abc;", f"external_account_key {MASK} {MASK};"),
        ("return 200 0123456789abcdef0123456789abcdef;", f"return 200 {MASK};"),
        ("return 200 'Zm9vYmFyQmF6MTIzNDU2Nzg5MA==';", f"return 200 '{MASK}';"),
        ("ssl_ciphers ECDHE-RSA-AES128-GCM-SHA256:HIGH;", "ssl_ciphers ECDHE-RSA-AES128-GCM-SHA256:HIGH;"),
        ("ssl_session_cache shared:SSL:10m;", "ssl_session_cache shared:SSL:10m;"),
        ("root /srv/www/2024/Release0123456789abcdefgh;", "root /srv/www/2024/Release0123456789abcdefgh;"),
        ("listen 80; # the password is hunter2", "listen 80; #"),
    ],
)  # fmt: skip
def test_secrets(line: str, shown: str) -> None:
    assert without_secrets(line) == shown
    assert without_secrets(shown) == shown


def test_it_stays_the_same_configuration() -> None:
    """Blocks, names of directives, numbers of words and of lines, for all that a configuration may look like."""
    for mistake in MISTAKES:
        before, after = parse(mistake.text), parse(without_secrets(mistake.text))
        assert str(before.error and before.error.where) == str(after.error and after.error.where), mistake
        assert [s.name for s in before.statements.readable()] == [s.name for s in after.statements.readable()]
        assert without_secrets(mistake.text).count("\n") == mistake.text.count("\n")


def test_names_are_others_and_the_same_everywhere() -> None:
    text = (
        "server { server_name shop.acme.de *.acme.de; root /home/anna/shop.acme.de; proxy_pass http://10.1.2.3:80; "
        "allow 10.1.2.3; allow 127.0.0.1; }\n"
        "server { server_name acme.de localhost www.example.org; return 301 https://shop.acme.de/; contact a@acme.de; }"
    )
    changed = Names([text]).change(text)
    assert "acme" not in changed and "anna" not in changed and "10.1.2.3" not in changed
    assert "server_name host1.example *.host2.example; root /home/user/host1.example;" in changed
    assert changed.count("192.0.2.1") == 2 and "127.0.0.1" in changed
    assert "server_name host2.example localhost www.example.org; return 301 https://host1.example/;" in changed
    assert "user@example.org" in changed


def test_a_source_of_several_files(tmp_path: Path) -> None:
    (tmp_path / "shop.acme.de.conf").write_text("server { server_name shop.acme.de; set $token x; }\n")
    (tmp_path / "nginx.conf").write_text("events {}\nhttp { include *.conf; }\n".replace("*.conf", "shop*.conf"))
    source = load(str(tmp_path / "nginx.conf"))
    list(source.statements.readable())
    anonymize(source, names=True)
    dump = source.dump().decode()
    assert f"{tmp_path}/host1.example.conf:" in dump and "acme" not in dump
    assert f"set $token {MASK};" in dump
