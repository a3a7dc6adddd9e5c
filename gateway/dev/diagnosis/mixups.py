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

# The scheme that says TLS; FastCGI, SCGI and memcached have none.
_TLS: Final = {"proxy": "https://", "uwsgi": "suwsgi://", "grpc": "grpcs://"}
# What a reader of frames makes of the first three letters of "HTTP/1.1 …": their length.
_HTTP_AS_LENGTH: Final = b"frame: %d" % int.from_bytes(b"HTT", "big")

_FRAMES: Final = (b"upstream sent too large http2 frame", b"upstream sent unexpected http2 frame")


def _key(failure: Failure) -> Hashable:
    return failure.peer, failure.answer[:4], failure.message


def describe(failure: Failure) -> str:
    """What came, and whose words these are."""
    if failure.message.startswith(_FRAMES):
        return _no_frames(failure)
    answer = failure.answer or _quoted(failure.message)
    what = "HTTP" if failure.family == "proxy" else failure.family
    who = speaker(answer)
    text = f"the answer to this {what} request begins {shown(answer)}"
    if failure.family == "proxy" and answer.startswith(b"HTTP/"):
        return _bad_line(failure) or text
    if who:
        return f"{text}: {failure.peer} is {who}"
    if answer[:1] in (b"<", b"{", b"["):
        return (
            f"{text}: a body without a head (the program writes its answer without Content-Type and an empty line; "
            "or HTTP/0.9)"
        )
    return f"{text}, which is no head of an answer: {failure.peer} speaks another protocol, or prints before its head"


def _no_frames(failure: Failure) -> str:
    """HTTP/2 was spoken, and what came back are no frames."""
    peer = failure.peer
    if _HTTP_AS_LENGTH in failure.message:
        end = (
            "leave proxy_http_version at 1.1 here"
            if failure.family == "proxy"
            else f"write proxy_pass http://{address_in_url(peer)}; here"
        )
        return (
            f"{peer} answered in HTTP/1.1 (the first letters, HTT, are that length): it does not speak HTTP/2 "
            f"without TLS, or not on this port; {end}, or let it speak HTTP/2"
        )
    return f"{peer} does not speak HTTP/2: what it answered are no frames of it"


def _bad_line(failure: Failure) -> str:
    """Which line of a head is none, told by its name."""
    name = _quoted(failure.message)
    if not name:
        return ""
    return (
        f"the head of the answer has a line that is no field (RFC 9110, 5.1: a name without spaces, a colon, a value): "
        f"{shown(name)}; the application, or a layer between, writes it so: look for where it sets that field"
    )


def _quoted(message: bytes) -> bytes:
    """What a message shows of the answer, where the reader has not kept it."""
    return message.partition(b'"')[2].rpartition(b'"')[0]


def other_protocol(family: str, peer: str, speech: Speech | None, *, secure: bool = False) -> str | None:
    """What is wrong when the peer, asked, turned out to speak another protocol; None when it did not.

    `secure`: it is spoken to over TLS, so that what it says without tells only whether it needs that.
    """
    if secure:
        return None
    if speech == "HTTP" and family != "proxy":
        return (
            f"{peer} speaks HTTP, not {family} (asked just now): either proxy_pass http://{address_in_url(peer)}; here"
            f"{_OTHERWISE.get(family, '')}"
        )
    if speech == "uwsgi" and family != "uwsgi":
        return (
            f"{peer} speaks uwsgi, not {'HTTP' if family == 'proxy' else family} (asked just now): either uwsgi_pass "
            f"{peer}; and include uwsgi_params; here{_OTHERWISE.get(family, '')}"
        )
    if speech == "FastCGI" and family != "fastcgi":
        return (
            f"{peer} speaks FastCGI, not {'HTTP' if family == 'proxy' else family} (asked just now; PHP-FPM?): write "
            f"fastcgi_pass {peer}; here, with include fastcgi_params; and fastcgi_param SCRIPT_FILENAME "
            "$document_root$fastcgi_script_name;"
        )
    if speech == "TLS":
        here = f"write {with_tls(family, peer)} here, or " if family in _TLS else ""
        return f"{peer} speaks TLS (asked just now): {here}let it speak without"
    return None


def with_tls(family: str, peer: str) -> str:
    """The directive that speaks TLS to a peer: of a family that can."""
    return f"{family}_pass {_TLS[family]}{address_in_url(peer) if family == 'proxy' else peer};"


def address_in_url(peer: str) -> str:
    """How `proxy_pass` writes a peer: the path of a unix socket ends in a colon there."""
    return f"{peer}:" if peer.startswith("unix:") else peer


def speaker(answer: bytes) -> str | None:
    """Whose first words these are."""
    return next((who for sign, who in _SIGNS if answer.startswith(sign)), None)


FAMILY: Final = Family(
    (
        b"upstream sent no valid HTTP",
        b"upstream sent invalid header",
        b"upstream sent unsupported FastCGI",
        b"memcached sent invalid response",
        *_FRAMES,
    ),
    _key,
    describe,
)
