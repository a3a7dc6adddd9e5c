from __future__ import annotations

from pathlib import Path

import pytest

from gateway.config.errors import ConfigError
from tests import certificates
from tests.mail_engine import load_mail

AUTH = "auth_http 127.0.0.1:1;\n"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("server { listen 143 ssl; }", 'no "ssl_certificate" is defined for the "listen ... ssl" directive'),
        ("server { listen 143; starttls on; }", 'no "ssl_certificate" is defined for the "starttls" directive'),
        (
            "server { listen 143; starttls only; ssl_certificate a; }",
            'no "ssl_certificate_key" is defined for the "starttls" directive',
        ),
        (
            "server { listen 143 ssl; ssl_certificate a; ssl_certificate b; ssl_certificate_key a; }",
            'no "ssl_certificate_key" is defined for certificate "/b" and the "listen ... ssl" directive',
        ),
        ("starttls maybe;", 'invalid value "maybe"'),
        ("ssl_reject_handshake on;", '"ssl_reject_handshake" directive is not allowed here'),
        ("server { listen 143 ssl; ssl_certificate $a; ssl_certificate_key $a; }", 'cannot load certificate "/$a"'),
    ],
)
def test_what_is_refused(text: str, message: str) -> None:
    with pytest.raises(ConfigError) as caught:
        load_mail(AUTH + text)
    assert str(caught.value).startswith(message)


def test_servers_with_the_same_settings_share(tmp_path: Path) -> None:
    chain, key = certificates.write(tmp_path, "localhost", stem="localhost")
    cycle = load_mail(AUTH + f"""
        ssl_certificate {chain}; ssl_certificate_key {key};
        server {{ listen 1 ssl; protocol imap; }}
        server {{ listen 2; protocol imap; starttls on; }}
        server {{ listen 3; protocol imap; }}
        server {{ listen 4 ssl; protocol smtp; }}
    """)
    first, second, third, fourth = cycle.servers
    assert first.tls is not None and first.tls is second.tls
    assert third.tls is None
    assert fourth.tls is not None and fourth.tls is not first.tls  # its clients negotiate another protocol
    assert second.starttls and not second.starttls_only
