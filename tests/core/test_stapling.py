"""Stapling, as a client that asks for it sees it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import trio
from cryptography.x509 import ocsp as witness

from gateway.config.errors import ConfigError
from gateway.core.stapling import Staples
from tests.dns_server import dns_server
from tests.engine import load_http, serving
from tests.ocsp_responder import Authority, pem_of


def site(folder: Path, authority: Authority, more: str, url: str = "") -> tuple[str, Any]:
    pem, key, subject = authority.issue("localhost", url)
    (folder / "chain.pem").write_text(pem + pem_of(authority.certificate))
    (folder / "key.pem").write_text(key)
    pair = f"ssl_certificate {folder}/chain.pem; ssl_certificate_key {folder}/key.pem;"
    return f"server {{ listen 127.0.0.1:8443 ssl; {pair} ssl_stapling on; {more} }}", subject


def staples_of(engine: Any) -> Staples:
    found = engine.cycle.servers[0].tls.staples
    assert isinstance(found, Staples)
    return found


async def until(condition: Callable[[], object]) -> None:
    with trio.fail_after(5):
        while not condition():
            await trio.sleep(0.005)


@pytest.mark.parametrize("named", ["by the certificate", "by the configuration"])
async def test_the_responder_is_asked_once(tmp_path: Path, named: str) -> None:
    authority = Authority()
    async with trio.open_nursery() as nursery:
        subjects: list[Any] = []
        listeners = await trio.open_tcp_listeners(0, host="127.0.0.1")
        port = listeners[0].socket.getsockname()[1]
        nursery.start_soon(trio.serve_listeners, lambda stream: authority.respond(stream, subjects[0]), listeners)
        url = f"http://127.0.0.1:{port}/"
        by_certificate = named == "by the certificate"
        more = "" if by_certificate else f"ssl_stapling_responder {url};"
        text, subject = site(tmp_path, authority, more, url if by_certificate else "")
        subjects.append(subject)
        async with serving(text) as engine:
            staples = staples_of(engine)
            assert staples.answer(0) is None  # the first client gets none, and brings it about
            await until(lambda: staples.answer(0) is not None)
            answer = staples.answer(0)
            assert answer is not None and witness.load_der_ocsp_response(answer).serial_number == subject.serial_number
            assert authority.asked == 1
        nursery.cancel_scope.cancel()


async def test_each_server_asks_by_its_own_resolver(tmp_path: Path) -> None:
    """However equal their settings of TLS are."""
    authority = Authority()
    async with dns_server() as knows, dns_server() as knows_not, trio.open_nursery() as nursery:
        knows.records["responder.test", "A"] = ["127.0.0.1"]
        subjects: list[Any] = []
        listeners = await trio.open_tcp_listeners(0, host="127.0.0.1")
        nursery.start_soon(trio.serve_listeners, lambda stream: authority.respond(stream, subjects[0]), listeners)
        url = f"http://responder.test:{listeners[0].socket.getsockname()[1]}/"
        resolvers = (knows_not.address, knows.address, knows.address + " ipv6=off")
        made = [site(tmp_path, authority, f"server_name s{i}.test; resolver {resolvers[i]};", url) for i in range(3)]
        subjects.append(made[-1][1])
        async with serving("".join(text for text, _ in made)) as engine:
            staples = [server.tls.staples for server in engine.cycle.servers]
            assert [each.answer(0) for each in staples] == [None] * 3
            await until(lambda: staples[1].answer(0) is not None and staples[2].answer(0) is not None)
            await until(lambda: [line for line in engine.log.lines if "responder.test could not be resolved" in line])
            assert staples[0].answer(0) is None and authority.asked == 2
        nursery.cancel_scope.cancel()


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"status": witness.OCSPCertStatus.REVOKED}, 'certificate status "revoked" in the OCSP response while'),
        ({"code": 404}, "OCSP responder answered 404 while requesting certificate status, responder: http://127"),
        ({"content_type": "text/html"}, 'OCSP responder sent invalid "Content-Type" header: "text/html"'),
    ],
)
async def test_answers_that_are_not_stapled(tmp_path: Path, change: dict[str, Any], words: str) -> None:
    authority = Authority()
    for name, value in change.items():
        setattr(authority, name, value)
    async with trio.open_nursery() as nursery:
        subjects: list[Any] = []
        listeners = await trio.open_tcp_listeners(0, host="127.0.0.1")
        url = f"http://127.0.0.1:{listeners[0].socket.getsockname()[1]}/"
        nursery.start_soon(trio.serve_listeners, lambda stream: authority.respond(stream, subjects[0]), listeners)
        text, subject = site(tmp_path, authority, f"ssl_stapling_responder {url};")
        subjects.append(subject)
        async with serving(text) as engine:
            staples = staples_of(engine)
            assert staples.answer(0) is None
            await until(lambda: [line for line in engine.log.lines if words in line])
            assert staples.answer(0) is None and authority.asked == 1  # and it is not asked again at once
        nursery.cancel_scope.cancel()


def test_a_file_and_what_is_missing(tmp_path: Path) -> None:
    authority = Authority()
    text, subject = site(tmp_path, authority, f"ssl_stapling_file {tmp_path}/answer;")
    (tmp_path / "answer").write_bytes(authority.answer(subject))
    staples = load_http(text).servers[0].tls.staples
    assert witness.load_der_ocsp_response(staples.answer(0)).serial_number == subject.serial_number
    (tmp_path / "answer").write_bytes(b"rubbish")
    with pytest.raises(ConfigError, match=r'd2i_OCSP_RESPONSE_bio\(".*answer"\) failed in nginx\.conf:2'):
        load_http(text)
    (tmp_path / "answer").unlink()
    with pytest.raises(ConfigError, match=r'BIO_new_file\(".*answer"\) failed'):
        load_http(text)
    for more, words in (
        ("", f'no OCSP responder URL in the certificate "{tmp_path}/chain.pem"'),
        (
            "ssl_stapling_responder https://a.example;",
            f'invalid URL prefix in OCSP responder "https://a.example" in the certificate "{tmp_path}/chain.pem"',
        ),
    ):
        text, _ = site(tmp_path, authority, more)
        warned: list[ConfigError] = []
        assert load_http(text, warnings=warned).servers[0].tls.staples.answer(0) is None
        assert [warning.message for warning in warned] == [f'"ssl_stapling" ignored, {words}']
