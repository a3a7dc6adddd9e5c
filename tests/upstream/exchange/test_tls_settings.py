from __future__ import annotations

from pathlib import Path

import pytest

from gateway.config.errors import ConfigError
from gateway.modules.http import proxy, uwsgi
from tests import certificates
from tests.engine import load_http


def server(text: str, passes: str = "proxy_pass https://127.0.0.1:1;") -> str:
    return f"server {{ location / {{ {passes} {text} }} }}"


@pytest.mark.parametrize("prefix", ["proxy", "uwsgi"])
def test_what_is_wrong(prefix: str, tmp_path: Path) -> None:
    passes = {"proxy": "proxy_pass https://127.0.0.1:1;", "uwsgi": "uwsgi_pass suwsgi://127.0.0.1:1;"}[prefix]
    chain, _ = certificates.write(tmp_path)
    for text, message in (
        (f"ssl_certificate {chain};", f'no "P_ssl_certificate_key" is defined for certificate "{chain}" in'),
        ("ssl_verify on;", "no P_ssl_trusted_certificate for P_ssl_verify in nginx.conf:2"),
        ("ssl_verify on; P_ssl_trusted_certificate /nowhere;", 'cannot load certificate "/nowhere": BIO_new_file'),
        ("ssl_ciphers NO;", r'SSL_CTX_set_cipher_list\("NO"\) failed .* in nginx.conf:2'),
        ("ssl_protocols SSLv9;", 'invalid value "SSLv9" in'),
        ("ssl_certificate_cache inactive=1;", '"P_ssl_certificate_cache" must have the "max" parameter in'),
        ("ssl_certificate_cache max=0;", 'invalid parameter "max=0" in'),
        ("ssl_password_file /nowhere;", 'open\\(\\) "/nowhere" failed'),
        ("ssl_name a; P_ssl_name b;", '"P_ssl_name" directive is duplicate'),
    ):
        with pytest.raises(ConfigError, match=message.replace("P_", f"{prefix}_")):
            load_http(server(f"{prefix}_{text}".replace("P_", f"{prefix}_"), passes))


def test_without_tls_nothing_is_loaded() -> None:
    cycle = load_http(server("proxy_ssl_verify on; proxy_ssl_ciphers NO;", "proxy_pass http://127.0.0.1:1;"))
    conf = cycle.servers[0].root.children[0].confs[proxy.module]
    assert conf.client_tls is None and conf.tls.verify and conf.tls.verify_depth == 1


def test_blocks_without_directives_of_their_own_share_sessions() -> None:
    cycle = load_http(
        """
        uwsgi_ssl_protocols TLSv1.2;
        server {
            location /a { uwsgi_pass suwsgi://127.0.0.1:1; }
            location /b { uwsgi_pass suwsgi://127.0.0.1:1; }
            location /c { uwsgi_pass suwsgi://127.0.0.1:1; uwsgi_ssl_session_reuse off; }
        }"""
    )
    made = [location.confs[uwsgi.module].client_tls for location in cycle.servers[0].root.children]
    assert made[0] is made[1] is not made[2]
    assert made[2].settings.protocols == 16
