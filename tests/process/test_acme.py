"""ACME with pebble for the authority and a whole gateway: issued, renewed, kept while the authority is away."""

from __future__ import annotations

import json
import os
import re
import signal
import socket
import ssl
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from cryptography import x509

from tests.acme_authority import Pebble, needs_pebble, pebble
from tests.process.running import GATEWAY, Running, fetch, free_port, until
from tests.process.test_late_imports import IMPORTING
from tests.typed import Desk

pytestmark = needs_pebble


@pytest.fixture
def authority(tmp_path: Path) -> Iterator[Pebble]:
    folder = tmp_path / "pebble"
    folder.mkdir()
    with pebble(folder) as made:
        yield made


@pytest.fixture
def gateway(tmp_path: Path) -> Iterator[Running]:
    folder = tmp_path / "gateway"
    folder.mkdir()
    with Running(folder, GATEWAY) as running:
        yield running


def _configure(
    running: Running, pebble: Pebble, port: int, *, issuer: str = "", server: str = "", more: str = ""
) -> None:
    (running.folder / "nginx.conf").write_text(f"""
daemon off; worker_processes 2; error_log error.log notice; {"user root;" if os.geteuid() == 0 else ""} pid nginx.pid;
events {{}}
http {{
    access_log off;
    acme_shared_zone zone=acme:1m;
    acme_issuer test {{
        uri {pebble.directory};
        contact admin@example.org;
        ssl_trusted_certificate {pebble.trusted};
        accept_terms_of_service;
        {issuer}
    }}
    server {{ listen 127.0.0.1:{pebble.http_port}; server_name shop.example; return 301 https://$host$request_uri; }}
    server {{
        listen 127.0.0.1:{port} ssl;
        server_name shop.example www.shop.example;
        {server or "acme_certificate test;"}
        ssl_certificate $acme_certificate;
        ssl_certificate_key $acme_certificate_key;
        ssl_certificate_cache max=4 valid=1s;
        location / {{ return 200 "over TLS"; }}
    }}
    server {{ listen unix:{running.folder}/api; location / {{ api; }} }}
    {more}
}}
""")


def _events(running: Running) -> list[dict[str, str]]:
    """Of certificates, the newest first."""
    found: list[dict[str, str]] = json.loads(fetch(f"{running.folder}/api", "/9/events?kind=certificate"))
    return found


def _shown(port: int, name: str = "shop.example") -> x509.Certificate | None:
    """The certificate that a client is shown, if any."""
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    try:
        with (
            socket.create_connection(("127.0.0.1", port), 10) as plain,
            context.wrap_socket(plain, server_hostname=name) as tls,
        ):
            data = tls.getpeercert(binary_form=True)
    except OSError:
        return None
    assert data is not None
    return x509.load_der_x509_certificate(data)


def _names(certificate: x509.Certificate) -> list[str]:
    found = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    return sorted(found.get_values_for_type(x509.DNSName))


def test_a_certificate_comes_by_itself(gateway: Running, authority: Pebble) -> None:
    port = free_port()
    _configure(gateway, authority, port)
    gateway.start(wait=False)
    shown = until(lambda: _shown(port), "a certificate", 40)
    assert _names(shown) == ["shop.example", "www.shop.example"]
    assert gateway.logged(r".*acme: test: new certificate for shop.example, www.shop.example.*")
    state = gateway.folder / "acme_test"
    assert state.stat().st_mode & 0o777 == 0o700
    assert list((state / "challenges").iterdir()) == []
    assert all(file.stat().st_mode & 0o777 == 0o600 for file in state.iterdir() if file.is_file())
    for other in (".crt", ".key"):
        assert next(state.glob(f"shop*{other}")).read_text() in next(state.glob("*.pem")).read_text()

    # A reload and a new start use what is there.
    assert gateway.process is not None
    gateway.process.send_signal(signal.SIGHUP)
    until(lambda: gateway.logged(r".*reconfiguring.*"), "the reload")
    time.sleep(0.5)
    again = _shown(port)
    assert again is not None
    assert again.serial_number == shown.serial_number

    # With the authority away it is served on.
    authority.stop()
    gateway.process.send_signal(signal.SIGHUP)
    time.sleep(0.5)
    kept = _shown(port)
    assert kept is not None
    assert kept.serial_number == shown.serial_number


def test_state_path_off(gateway: Running, authority: Pebble) -> None:
    """Nothing is written but what the configuration names; workers and a reload go on with what there is."""
    port = free_port()
    _configure(gateway, authority, port, issuer="state_path off; challenge tls-alpn-01;")
    conf = gateway.folder / "nginx.conf"
    conf.write_text(conf.read_text().replace(f"127.0.0.1:{port} ssl", f"127.0.0.1:{authority.tls_port} ssl"))
    gateway.start(wait=False)
    shown = until(lambda: _shown(authority.tls_port), "a certificate", 60)
    assert not [path for path in gateway.folder.rglob("*") if path.suffix in (".pem", ".key", ".lock", ".waits")]
    assert not (gateway.folder / "acme_test").exists()
    assert gateway.process is not None
    workers = set(gateway.workers)
    gateway.process.send_signal(signal.SIGHUP)
    until(lambda: gateway.workers and not workers & set(gateway.workers), "the workers after the reload", 60)
    authority.stop()
    for _ in range(6):
        again = _shown(authority.tls_port)
        assert again is not None and again.serial_number == shown.serial_number


def test_the_first_one_is_not_waited_for_in_silence(tmp_path: Path, authority: Pebble) -> None:
    """At the terminal: what is asked of whom, what is missing, when it is tried again, and that it is here."""
    (tmp_path / "desk").mkdir()
    desk = Desk(tmp_path / "desk")
    running = Running(desk.folder)
    port = free_port()
    authority.stop()
    _configure(running, authority, port)
    with desk.serving("gateway -c nginx.conf -g 'worker_shutdown_timeout 5s;'") as server:
        server.until(r"certificate  shop\.example, www\.shop\.example: none yet; test \(https://localhost:\d+/dir\)")
        failed = r"waited for since \d+ s; the last try failed: .*Connection refused; next try in \d+ s"
        server.until(failed)
        assert _shown(port) is None
        log = desk.folder / "error.log"
        until(lambda: re.search(rf"yet \(ACME\): {failed}", log.read_text()), "the log's line", 30)
        authority.start()
        server.process.send_signal(signal.SIGHUP)
        server.until(r"certificate  shop\.example, www\.shop\.example: it is here, after \d+ s")
        assert _shown(port) is not None
        asked = r"\[notice\] .*acme: test: asking https://localhost:\d+/dir for a certificate of shop"
        assert re.search(asked, log.read_text())


def test_a_new_one_takes_over_without_a_reload(gateway: Running, tmp_path: Path) -> None:
    folder = tmp_path / "short"
    folder.mkdir()
    with pebble(folder, validity_s=9, nonce_reject=0) as authority:
        port = free_port()
        _configure(gateway, authority, port)
        gateway.start(wait=False)
        first = until(lambda: _shown(port), "a certificate", 40)
        until(lambda: (now := _shown(port)) is not None and now.serial_number != first.serial_number, "another one", 40)
        assert not gateway.logged(r".*reconfiguring.*")
        # each of them is an event; that one ends soon is one, too, as its 9 s are less than a month
        events = [each for each in _events(gateway) if each["level"] == "notice"]
        assert len(events) >= 2
        assert {each["object"] for each in events} == {"shop.example, www.shop.example"}
        assert {each["text"] for each in events} == {"is new, from test"}


def test_the_authority_is_away(gateway: Running, authority: Pebble) -> None:
    port = free_port()
    authority.stop()
    _configure(gateway, authority, port)
    gateway.start(wait=False)
    until(
        lambda: gateway.logged(r".*acme: test: .*Connection refused; there is no certificate yet, next try in 60 s.*"),
        "the line",
    )
    assert _shown(port) is None
    assert gateway.logged(r".*test has issued no certificate for shop.example, www.shop.example yet \(ACME\).*")
    (event,) = _events(gateway)
    assert (event["level"], event["object"]) == ("error", "shop.example, www.shop.example")
    assert event["text"] == "was not got; there is no certificate yet, next try in 60 s"
    assert "Connection refused" in event["cause"]
    # other servers are none the worse
    assert "301 Moved Permanently" in fetch(("127.0.0.1", authority.http_port), "/x")


def test_who_cannot_be_reached_from_outside(gateway: Running, authority: Pebble) -> None:
    """Nothing answers where the authority looks: its own words are in the log."""
    port = free_port()
    _configure(gateway, authority, port)
    text = (gateway.folder / "nginx.conf").read_text()
    (gateway.folder / "nginx.conf").write_text(text.replace(f":{authority.http_port};", f":{free_port()};"))
    gateway.start(wait=False)
    line = r".*acme: test: .*shop.example: http-01: .*there is no certificate yet.*"
    until(lambda: gateway.logged(line), "the line", 40)


def test_tls_alpn_01(gateway: Running, authority: Pebble) -> None:
    """The authority looks at the port for TLS; its name is asked of the configuration's resolver.

    Nothing is imported for it in a worker, whose user may not be able to read it.
    """
    gateway.command = IMPORTING
    gateway.environment["IMPORTED"] = str(gateway.folder / "imported")
    _configure(gateway, authority, authority.tls_port, issuer="challenge tls-alpn-01; account_key ecdsa:384;")
    conf = gateway.folder / "nginx.conf"
    text = conf.read_text().replace(authority.directory, authority.named_directory)
    conf.write_text(text.replace("access_log off;", f"access_log off; resolver {authority.resolver} ipv6=off;"))
    gateway.start(wait=False)
    shown = until(lambda: _shown(authority.tls_port), "a certificate", 60)
    assert _names(shown) == ["shop.example", "www.shop.example"]
    assert list((gateway.folder / "acme_test" / "challenges").iterdir()) == []
    until(lambda: gateway.logged(r".*acme: test: new certificate for .*"), "the line")
    gateway.end()
    assert (gateway.folder / "imported").read_text() == ""


def test_a_name_that_the_resolver_does_not_know(gateway: Running, authority: Pebble) -> None:
    _configure(gateway, authority, free_port())
    conf = gateway.folder / "nginx.conf"
    text = conf.read_text().replace(authority.directory, authority.named_directory)
    conf.write_text(text.replace("access_log off;", "access_log off; resolver 127.0.0.1:1; resolver_timeout 1s;"))
    gateway.start(wait=False)
    line = r".*acme: test: .*pebble.example could not be resolved; there is no certificate yet, next try in 60 s.*"
    until(lambda: gateway.logged(line), "the line", 60)


def test_two_issuers_with_one_folder(gateway: Running, authority: Pebble) -> None:
    port = free_port()
    shared = f"state_path {gateway.folder}/state;"
    other = f"""acme_issuer other {{ uri {authority.directory}; ssl_trusted_certificate {authority.trusted};
        accept_terms_of_service; {shared} }}
    server {{ listen 127.0.0.1:{port} ssl; server_name other.example; acme_certificate other; return 204;
        ssl_certificate $acme_certificate; ssl_certificate_key $acme_certificate_key; }}"""
    _configure(gateway, authority, port, issuer=shared, more=other)
    gateway.start(wait=False)
    for name in ("shop.example", "other.example"):
        shown = until(lambda name=name: _shown(port, name), f"a certificate for {name}", 60)
        assert name in _names(shown)


def test_a_wrong_challenge_is_tried_again(gateway: Running, authority: Pebble) -> None:
    """What is shown at first is another account's; a reload tries again at once, and the right one is believed."""
    port = free_port()
    _configure(gateway, authority, port)
    conf = gateway.folder / "nginx.conf"
    right = conf.read_text()
    wrong = 'if ($uri ~ "^/.well-known/acme-challenge/(.*)$") { return 200 "$1.wrong"; }'
    conf.write_text(right.replace(f"listen 127.0.0.1:{authority.http_port};", f"listen 127.0.0.1:{free_port()};"))
    # Another server answers the authority, with what is not ours.
    site = f"server {{ listen 127.0.0.1:{authority.http_port}; location / {{ {wrong} return 404; }} }}"
    with Running(_folder(gateway, "liar"), GATEWAY) as liar:
        (liar.folder / "nginx.conf").write_text(
            f"{'user root;' if os.geteuid() == 0 else ''} daemon off; pid nginx.pid; error_log error.log; events {{}}\n"
            f"http {{ access_log off; {site} }}"
        )
        liar.start()
        gateway.start(wait=False)
        line = r".*acme: test: .*shop.example: http-01: .*; there is no certificate yet, next try in 60 s.*"
        until(lambda: gateway.logged(line), "the line", 60)
        assert liar.process is not None
        liar.process.send_signal(signal.SIGTERM)
        assert liar.process.wait(30) == 0
    conf.write_text(right)
    assert gateway.process is not None
    gateway.process.send_signal(signal.SIGHUP)
    until(lambda: _shown(port), "a certificate", 60)


def _folder(running: Running, name: str) -> Path:
    folder = running.folder.parent / name
    folder.mkdir()
    return folder


def test_a_wildcard_by_dns(gateway: Running, authority: Pebble) -> None:
    port = free_port()
    issuer = f"challenge dns-01; hook {authority.hook()};"
    server = "acme_certificate test shop.example *.shop.example key=rsa;"
    _configure(gateway, authority, port, issuer=issuer, server=server)
    gateway.start(wait=False)
    shown = until(lambda: _shown(port), "a certificate", 40)
    assert _names(shown) == ["*.shop.example", "shop.example"]
    assert sorted((authority.folder / "hooked").read_text().split("\n")) == [
        "", "add _acme-challenge.shop.example", "add _acme-challenge.shop.example",
        "remove _acme-challenge.shop.example", "remove _acme-challenge.shop.example",
    ]  # fmt: skip


def test_a_hook_that_does_nothing_tells_why(gateway: Running, authority: Pebble) -> None:
    hook = authority.folder / "idle"
    hook.write_text("#!/bin/sh\nno-such-program $2\necho done\n")
    hook.chmod(0o755)
    server = "acme_certificate test shop.example key=rsa;"
    _configure(gateway, authority, free_port(), issuer=f"challenge dns-01; hook {hook};", server=server)
    gateway.start(wait=False)
    line = r".*acme: test: .*dns-01: .*; .*idle ended well, but said: .*no-such-program.*there is no certificate yet.*"
    until(lambda: gateway.logged(line), "the line", 60)


def test_nobody_finds_other_files(gateway: Running, authority: Pebble) -> None:
    _configure(gateway, authority, free_port())
    gateway.start(wait=False)
    address = ("127.0.0.1", authority.http_port)
    until(lambda: _connects(address), "the server")
    for path in ("..%2faccount.key", "%2e%2e/account.key", "unknown", "", "a/b"):
        with socket.create_connection(address, 10) as connection:
            connection.sendall(f"GET /.well-known/acme-challenge/{path} HTTP/1.0\r\nHost: x\r\n\r\n".encode())
            assert b"PRIVATE" not in (answer := connection.recv(65536))
            assert answer.startswith((b"HTTP/1.1 301", b"HTTP/1.1 400"))


def _connects(address: tuple[str, int]) -> bool:
    try:
        socket.create_connection(address, 1).close()
    except OSError:
        return False
    return True
