from __future__ import annotations

import pytest

from gateway.config.errors import ConfigError
from tests.mail_engine import load_mail

AUTH = "auth_http 127.0.0.1:1;\n"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (AUTH + "server { protocol imap; }", 'no "listen" is defined for server'),
        (AUTH + "server { listen 1; }", "unknown mail protocol for server"),
        ("server { listen 143; }", 'no "auth_http" is defined for server'),
        (AUTH + "server { listen 143; } }\nmail {", '"mail" directive is duplicate'),
        (AUTH + "listen 143;", '"listen" directive is not allowed here'),
    ],
)
def test_what_is_refused(text: str, message: str) -> None:
    with pytest.raises(ConfigError) as caught:
        load_mail(text)
    assert str(caught.value).startswith(message)


def test_where_it_is_said() -> None:
    with pytest.raises(ConfigError) as caught:
        load_mail(AUTH + "\nserver {\n listen 1;\n}\n")
    assert str(caught.value).endswith("in nginx.conf:4")


def test_a_block_without_servers() -> None:
    assert load_mail("").listenings == []
