"""Directives that http and stream share, in an http block."""

from __future__ import annotations

from pathlib import Path

import pytest

from gateway import modules
from gateway._fast import openssl
from gateway.config.directive import Context
from gateway.config.errors import ConfigError
from gateway.config.loader import Loader, Scope
from gateway.config.parser import parse
from gateway.core.logs import LOG, Log
from gateway.core.tls_settings import complete
from gateway.modules.http import ssl
from tests import certificates
from tests.engine import MemorySink, load_http, warnings_of


def server(*directives: str) -> str:
    return "server { listen 127.0.0.1:8443 ssl; " + " ".join(directives) + " }"


def test_paths() -> None:
    assert complete("a.pem", "/etc/") == "/etc/a.pem"
    for name in ("/a.pem", "data:x", "engine:a:b", "store:file:a"):
        assert complete(name, "/etc/") == name


def test_what_is_wrong(tmp_path: Path) -> None:
    chain, key = certificates.write(tmp_path)
    pair = f"ssl_certificate {chain}; ssl_certificate_key {key};"
    for more, message in (
        ("ssl_session_ticket_key /nowhere;", r'open\(\) "/nowhere" failed \(2: No such file or directory\) in'),
        (f"ssl_session_ticket_key {chain};", "must be 48 or 80 bytes in nginx.conf:2"),
        ("ssl_conf_command Nothing here;", r'SSL_CONF_cmd\("Nothing", "here"\) failed \(SSL: .* in nginx.conf:2'),
        ("ssl_certificate_cache max=1 more;", 'invalid parameter "more" in'),
        ("ssl_session_cache shared::1m;", 'invalid session cache "shared::1m" in'),
    ):
        with pytest.raises(ConfigError, match=message):
            load_http(server(pair, more))


def test_what_newer_versions_of_openssl_have(tmp_path: Path) -> None:
    chain, key = certificates.write(tmp_path)
    text = server(f"ssl_certificate {chain}; ssl_certificate_key {key}; ssl_certificate_compression on;")
    text = text.replace("; ssl_certificate_compression", "; ssl_ech_file x; ssl_certificate_compression")
    source = parse("http {\n" + text + "\n}\n", "nginx.conf")
    loader = Loader(modules.MODULES)
    loader.parts.put(LOG, Log(MemorySink()))
    loader.walk(source.statements, Scope(Context.MAIN))
    told = "".join(str(warning) for warning in loader.warnings)
    wanted = f'"ssl_certificate_compression" needs OpenSSL 3.2 with a way to compress, this is {openssl.version()}'
    assert '"ssl_ech_file" needs OpenSSL 4.0' in told
    assert (wanted in told) is not openssl.has("SSL_CTX_compress_certs")


def test_several_of_a_kind(tmp_path: Path) -> None:
    chain, key = certificates.write(tmp_path)
    cycle = load_http(
        f"ssl_conf_command Options A; ssl_certificate {chain}; ssl_certificate_key {key};"
        "server { ssl_conf_command Options B; ssl_conf_command Options C; }"
        "server { ssl_password_file /dev/null; }".replace("Options A", "Options KTLS")
        .replace("Options B", "Options -SessionTicket")
        .replace("Options C", "Options PrioritizeChaCha")
    )
    first, second = (one.confs[ssl.module] for one in cycle.servers)
    assert first.conf_commands == (("Options", "-SessionTicket"), ("Options", "PrioritizeChaCha"))
    assert second.conf_commands == (("Options", "KTLS"),) and second.passwords == ()


def test_a_protocol_that_stands_twice_is_a_warning() -> None:
    assert warnings_of("ssl_protocols TLSv1.2 tlsv1.2;") == ['duplicate value "tlsv1.2" in nginx.conf:2']


@pytest.mark.parametrize("name", ["ssl_dhparam", "ssl_client_certificate", "ssl_trusted_certificate", "ssl_crl"])
def test_a_second_file_is_refused(name: str) -> None:
    with pytest.raises(ConfigError, match=f'"{name}" directive is duplicate in nginx.conf:2'):
        load_http(f"{name} a; {name} b;")
