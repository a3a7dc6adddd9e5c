"""The peer speaks another protocol: told from what came back, and from what was sent."""

from __future__ import annotations

from collections.abc import Hashable
from typing import Final

from gateway.dev.diagnosis.failure import Failure, Family, shown
from gateway.dev.diagnosis.question import Speech

# How an answer begins, and who says so.
_SIGNS: Final = (
    (b"SSH-", "an SSH server"),
    (b"220 ", "a mail or FTP server"),
    (b"-ERR", "Redis"),
    (b"ERROR\r\n", "memcached"),
    (b"\x15\x03", "a TLS server (an alert: it wants TLS first)"),
    (b"\x01", "a FastCGI server: fastcgi_pass"),
    (b"AMQP", "RabbitMQ"),
    (b"d\0\0", "uWSGI's answer to a ping"),
    (b"PRI * HTTP/2", "HTTP/2"),
    (b"HTTP/", "an HTTP server: proxy_pass"),
    (b"\0\0", "an HTTP/2 server without TLS (gRPC: grpc_pass)"),
)

# How the peer is made to speak what the location speaks.
_OTHERWISE: Final = {
    "uwsgi": ", or let it speak uwsgi (uWSGI: socket =, not http-socket = or http =; gunicorn: --protocol uwsgi)",
    "proxy": ", or let it speak HTTP (uWSGI: http-socket =, not socket =; gunicorn: without --protocol uwsgi)",
    "fastcgi": ", or let it speak FastCGI (uWSGI: fastcgi-socket =)",
    "scgi": ", or let it speak SCGI (uWSGI: scgi-socket =)",
}


def _key(failure: Failure) -> Hashable:
    return failure.peer, failure.answer[:4]


def describe(failure: Failure) -> str:
    """What came, and whose words these are."""
    answer = failure.answer or _quoted(failure.message)
    what = "HTTP" if failure.family == "proxy" else failure.family
    who = speaker(answer)
    text = f"the answer to this {what} request begins {shown(answer)}"
    if who:
        return f"{text}: {failure.peer} is {who}"
    if answer[:1] in (b"<", b"{", b"["):
        return (
            f"{text}: a body without a head (the program writes its answer without Content-Type and an empty line; "
            "or HTTP/0.9)"
        )
    return f"{text}, which is no head of an answer: {failure.peer} speaks another protocol, or prints before its head"


def _quoted(message: bytes) -> bytes:
    """What a message shows of the answer, where the reader has not kept it."""
    return message.partition(b'"')[2].rpartition(b'"')[0]


def other_protocol(family: str, peer: str, speech: Speech | None) -> str | None:
    """What is wrong when the peer, asked, turned out to speak another protocol; None when it did not."""
    if speech == "HTTP" and family != "proxy":
        where = f"http://{peer}:" if peer.startswith("unix:") else f"http://{peer}"
        return (
            f"{peer} speaks HTTP, not {family} (asked just now): either proxy_pass {where}; here"
            f"{_OTHERWISE.get(family, '')}"
        )
    if speech == "uwsgi" and family != "uwsgi":
        return (
            f"{peer} speaks uwsgi, not {'HTTP' if family == 'proxy' else family} (asked just now): either uwsgi_pass "
            f"{peer}; and include uwsgi_params; here{_OTHERWISE.get(family, '')}"
        )
    if speech == "TLS" and family == "proxy":
        return f"{peer} speaks TLS (asked just now): write proxy_pass https://{peer}; here, or let it speak without"
    return None


def speaker(answer: bytes) -> str | None:
    """Whose first words these are."""
    return next((who for sign, who in _SIGNS if answer.startswith(sign)), None)


FAMILY: Final = Family(
    (
        b"upstream sent no valid HTTP",
        b"upstream sent invalid header",
        b"upstream sent unsupported FastCGI",
        b"memcached sent invalid response",
    ),
    _key,
    describe,
)
