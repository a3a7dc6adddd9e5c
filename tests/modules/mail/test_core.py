from __future__ import annotations

from pathlib import Path

import pytest

from gateway.config.errors import ConfigError
from tests.mail_engine import load_mail

AUTH = "auth_http 127.0.0.1:1;\n"


def test_settings_go_inwards() -> None:
    cycle = load_mail(AUTH + """
        timeout 5s; max_errors 7; server_name outer; resolver 127.0.0.1; resolver_timeout 3s;
        server { listen 1; protocol smtp; }
        server { listen 2; protocol imap; timeout 1s; server_name inner; resolver off; }
    """)
    first, second = cycle.servers
    assert (first.core.timeout, first.core.max_errors, first.name) == (5.0, 7, b"outer")
    assert (second.core.timeout, second.core.max_errors, second.name) == (1.0, 7, b"inner")
    assert first.resolver is not None and first.resolver_timeout == 3.0 and second.resolver is None
    assert first.protocol.name == "smtp" and second.protocol.name == "imap"


def test_a_name_of_its_own() -> None:
    (server,) = load_mail(AUTH + "server { listen 25; }").servers
    assert server.name


def test_the_last_protocol_holds() -> None:
    (server,) = load_mail(AUTH + "server { listen 143; protocol pop3; protocol smtp; }").servers
    assert server.protocol.name == "smtp"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("server { listen 1; protocol nntp; }", 'unknown protocol "nntp"'),
        ("resolver 127.0.0.1; resolver off;", '"resolver" directive is duplicate'),
        ("timeout x;", '"timeout" directive invalid value'),
    ],
)
def test_what_is_refused(text: str, message: str) -> None:
    with pytest.raises(ConfigError) as caught:
        load_mail(AUTH + text)
    assert str(caught.value).startswith(message)


def test_error_log(tmp_path: Path) -> None:
    from gateway.core.logs import Log
    from tests.engine import MemorySink

    log = Log(MemorySink())
    (server,) = load_mail(AUTH + "server { listen 25; }", log).servers
    assert server.error_log is log
