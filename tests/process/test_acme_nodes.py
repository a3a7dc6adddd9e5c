"""Two gateways, one store, and pebble: one order, whoever is asked for the token, and a certificate for both."""

from __future__ import annotations

import os
import socket
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.acme_authority import Pebble, needs_pebble, pebble
from tests.cluster.redis import Redis, needs_redis
from tests.process.running import GATEWAY, Running, free_port, until
from tests.process.test_acme import _shown

pytestmark = [needs_pebble, needs_redis]


@pytest.fixture
def redis(tmp_path: Path) -> Iterator[Redis]:
    server = Redis(tmp_path)
    server.start()
    yield server
    server.kill()


class Node(Running):
    def __init__(self, folder: Path, redis: Redis, authority: Pebble) -> None:
        folder.mkdir()
        super().__init__(folder, GATEWAY)
        self.plain, self.port = free_port(), free_port()
        (folder / "nginx.conf").write_text(f"""
daemon off; worker_processes 2; error_log error.log notice; {"user root;" if os.geteuid() == 0 else ""} pid nginx.pid;
events {{}}
http {{
    access_log off;
    zone_sync_store {redis.url} timeout=20s ticket_key={folder.parent}/secret;
    acme_issuer test {{
        uri {authority.directory};
        ssl_trusted_certificate {authority.trusted};
        accept_terms_of_service;
        sync;
    }}
    server {{ listen 127.0.0.1:{self.plain}; server_name shop.example; return 404; }}
    server {{
        listen 127.0.0.1:{self.port} ssl;
        server_name shop.example www.shop.example;
        acme_certificate test;
        ssl_certificate $acme_certificate;
        ssl_certificate_key $acme_certificate_key;
        ssl_certificate_cache max=4 valid=1s;
        location / {{ return 200 "over TLS"; }}
    }}
}}
""")

    @property
    def serial(self) -> int:
        shown = _shown(self.port)
        return 0 if shown is None else shown.serial_number

    @property
    def orders(self) -> int:
        return (self.folder / "error.log").read_text().count("acme: test: new certificate for")


class Everybody:
    """What the authority takes for the site: it asks all nodes, and gives an answer that all of them give."""

    def __init__(self, port: int, nodes: list[Node]) -> None:
        self.nodes = nodes
        self.answers: list[list[bytes]] = []
        self.listening = socket.create_server(("127.0.0.1", port))
        threading.Thread(target=self._run, daemon=True).start()

    def _run(self) -> None:
        while True:
            try:
                connection, _ = self.listening.accept()
            except OSError:
                return
            with connection:
                connection.settimeout(30)
                request = connection.recv(65536)
                said = [_ask(node.plain, request) for node in self.nodes]
                self.answers.append(said)
                if all(each.endswith(said[0].rpartition(b"\r\n\r\n")[2]) for each in said):
                    connection.sendall(said[0])


def _ask(port: int, request: bytes) -> bytes:
    with socket.create_connection(("127.0.0.1", port), 30) as wire:
        wire.sendall(request.replace(b"Connection: keep-alive", b"").replace(b"HTTP/1.1", b"HTTP/1.0", 1))
        answer = b""
        while data := wire.recv(65536):
            answer += data
    return answer


@pytest.mark.timeout(240)
def test_one_order_for_all(tmp_path: Path, redis: Redis) -> None:
    (tmp_path / "secret").write_bytes(bytes(range(64)))
    (tmp_path / "pebble").mkdir()
    with pebble(tmp_path / "pebble", nonce_reject=0) as authority:
        nodes = [Node(tmp_path / str(number), redis, authority) for number in range(3)]
        everybody = Everybody(authority.http_port, nodes[:2])
        with everybody.listening, nodes[0], nodes[1], nodes[2]:
            for node in nodes[:2]:
                node.start(wait=False)
            until(lambda: nodes[0].serial and nodes[0].serial == nodes[1].serial, "one certificate on both", 90)
            assert sum(node.orders for node in nodes[:2]) == 1
            assert len(everybody.answers) >= 2, "two names"
            assert all(each.startswith(b"HTTP/1.1 200") for said in everybody.answers for each in said)
            accounts = {(node.folder / "acme_test" / "account.key").read_text() for node in nodes[:2]}
            assert len(accounts) == 1
            for node in nodes[:2]:
                until(lambda node=node: not list((node.folder / "acme_test" / "challenges").iterdir()), "no token", 30)
            # one that comes later orders nothing
            nodes[2].start(wait=False)
            until(lambda: nodes[2].serial == nodes[0].serial, "the certificate on the third", 90)
            assert sum(node.orders for node in nodes) == 1


@pytest.mark.timeout(240)
def test_renewed_by_one_taken_by_both(tmp_path: Path, redis: Redis) -> None:
    (tmp_path / "secret").write_bytes(bytes(range(64)))
    (tmp_path / "pebble").mkdir()
    with pebble(tmp_path / "pebble", nonce_reject=0, validity_s=30) as authority:
        nodes = [Node(tmp_path / str(number), redis, authority) for number in range(2)]
        everybody = Everybody(authority.http_port, nodes)
        with everybody.listening, nodes[0], nodes[1]:
            for node in nodes:
                node.start(wait=False)
            first = until(lambda: nodes[0].serial == nodes[1].serial and nodes[0].serial, "the first", 90)
            until(lambda: nodes[0].serial != first and nodes[0].serial == nodes[1].serial, "the second", 120)
            assert sum(node.orders for node in nodes) <= 3, "two each, if they did not know; the third may be due"
