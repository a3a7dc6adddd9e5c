from __future__ import annotations

import pytest

from tests.dns_server import dns_server
from tests.mail_engine import PEER, UNIX_PEER, serving

SERVER = "server { listen 25; smtp_auth none; resolver %s ipv6=off; resolver_timeout 100ms; }"
POINTER = ("1.0.0.127.in-addr.arpa", "PTR")


async def host_of(records: dict[tuple[str, str], list[str]], peer: bytes = PEER) -> tuple[str, list[str]]:
    async with dns_server() as dns:
        dns.records.update(records)
        async with serving(SERVER % dns.address) as engine, engine.client(0, peer) as client:
            engine.auth.answer = lambda question: {"Auth-Status": "no"}
            await client.line()
            await client.say(b"MAIL FROM:<a>")
            await client.say(b"RCPT TO:<b>")
            return engine.auth.asked[0]["Client-Host"], engine.logged("[error]")


@pytest.mark.parametrize(
    ("records", "host", "told"),
    [
        ({POINTER: ["mx.example."], ("mx.example", "A"): ["10.0.0.1", "127.0.0.1"]}, "mx.example", ""),
        ({POINTER: ["mx.example."], ("mx.example", "A"): ["10.0.0.1"]}, "[UNAVAILABLE]", ""),
        ({POINTER: ["mx.example."]}, "[UNAVAILABLE]", '"mx.example" could not be resolved (3: Host not found)'),
        ({}, "[UNAVAILABLE]", "127.0.0.1 could not be resolved (3: Host not found)"),
        ({POINTER: ["a_b.example."]}, "[TEMPUNAVAIL]", 'resolved to invalid host name "a_b.example"'),
        (
            {(POINTER[0], "CNAME"): ["x.example."]},
            "[TEMPUNAVAIL]",
            "127.0.0.1 could not be resolved (110: Operation timed out)",
        ),
    ],
)
async def test_names(records: dict[tuple[str, str], list[str]], host: str, told: str) -> None:
    found, lines = await host_of(records)
    assert found == host
    assert not lines if not told else any(told in line and "while in resolving client" in line for line in lines)


async def test_a_unix_socket_has_no_name() -> None:
    assert (await host_of({}, UNIX_PEER))[0] == "[TEMPUNAVAIL]"
