from __future__ import annotations

import pytest

from gateway.config.errors import ConfigError
from tests.mail_engine import load_mail

AUTH = "auth_http 127.0.0.1:1;\n"


@pytest.mark.parametrize(
    ("port", "protocol"),
    [(25, "smtp"), (465, "smtp"), (587, "smtp"), (110, "pop3"), (995, "pop3"), (143, "imap"), (993, "imap")],
)
def test_a_port_stands_for_a_protocol(port: int, protocol: str) -> None:
    (server,) = load_mail(AUTH + f"server {{ listen 127.0.0.1:{port}; listen 110; }}").servers
    assert server.protocol.name == protocol


def test_a_protocol_said_before_is_kept() -> None:
    (server,) = load_mail(AUTH + "server { protocol imap; listen 25; }").servers
    assert server.protocol.name == "imap"


def test_options() -> None:
    options = "backlog=5 rcvbuf=8k sndbuf=8k so_keepalive=on bind"
    (listening,) = load_mail(AUTH + f"server {{ listen 143 {options}; }}").listenings
    assert listening.address.backlog == 5 and listening.address.keepalive is True


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("server { listen 143; listen 143; }", 'duplicate "0.0.0.0:143" address and port pair'),
        ("server { listen 143; } server { listen *:143; }", 'duplicate "0.0.0.0:143" address and port pair'),
        ("server { listen 143 default_server; }", 'invalid parameter "default_server"'),
        ("server { listen 143 reuseport; }", 'invalid parameter "reuseport"'),
        ("server { listen 143 fastopen=3; }", 'invalid parameter "fastopen=3"'),
        ("server { listen 143 udp; }", 'invalid parameter "udp"'),
        ("server { listen 143 backlog=x; }", 'invalid backlog "backlog=x"'),
    ],
)
def test_what_is_refused(text: str, message: str) -> None:
    with pytest.raises(ConfigError) as caught:
        load_mail(AUTH + text)
    assert str(caught.value).startswith(message)
