"""The upstream closed or reset the connection before its answer was whole."""

from __future__ import annotations

import contextlib
import errno
import re
from collections.abc import Hashable
from typing import Final

from gateway.dev.diagnosis.failure import Failure, Family, numbered, shown
from gateway.dev.diagnosis.methods import misread_method
from gateway.dev.diagnosis.mixups import describe
from gateway.protocol.uwsgi import BadPacket, decode
from gateway.upstream.exchange.attempt import Stage

# uWSGI's buffer-size unless told otherwise, and the most that its protocol can say.
UWSGI_BUFFER: Final = 4096
UWSGI_LARGEST: Final = 65535
# A server that dislikes what it reads closes at once; one that works on it takes longer.
_AT_ONCE_S: Final = 1.0
# Limits in app servers are whole seconds, and are looked at about once a second.
_LIMIT_S: Final = 2.0
_LIMITS: Final = {"fastcgi": "PHP-FPM: request_terminate_timeout; uWSGI: harakiri"}
_LIMITS_OF_OTHERS: Final = "uWSGI: harakiri; gunicorn: --timeout, 30 unless set"


def _key(failure: Failure) -> Hashable:
    exchange = failure.exchange
    large = failure.family == "uwsgi" and failure.block_size > UWSGI_BUFFER
    return failure.peer, failure.family, failure.attempt.stage, large, exchange.attempt.received > 0


def _text(failure: Failure) -> str:
    text = likely(failure)
    return f"{failure.figures()}, then {_ending(failure)}. {text[:1].upper()}{text[1:]}"


def _ending(failure: Failure) -> str:
    if failure.message.startswith(b"writev()"):
        return "it took no more"
    return "it reset the connection" if failure.errno else "it closed the connection"


def likely(failure: Failure) -> str:
    """The causes that fit what was seen, the likeliest first."""
    attempt = failure.attempt
    elapsed = failure.elapsed
    if attempt.stage is Stage.READING_BODY:
        return _in_body(failure)
    if attempt.cached and not attempt.received:
        return "It had closed the kept connection already, and the request goes on with another one"
    if attempt.received:
        ended = "the process that made it ended in the middle of the head"
        if failure.family == "proxy" and failure.answer.startswith(b"HTTP/"):
            return f"the answer begins {shown(failure.answer)}, and {ended}"
        return f"{describe(failure)}; or {ended}"
    if failure.errno == errno.EPROTO:
        return _refused_in_tls(failure)
    causes: list[str] = []
    at_once = elapsed < _AT_ONCE_S
    if at_once and failure.family == "uwsgi" and failure.block_size <= UWSGI_BUFFER:
        lacking = without_method(failure)
        if lacking is not None:
            return lacking
    if failure.family == "uwsgi" and failure.block_size > UWSGI_BUFFER:
        causes.append(too_large(failure))
    elif at_once and not failure.has_answered and not failure.silent:
        causes += _mixed_up(failure)
    if failure.errno and failure.body_size:
        causes.append(unread_body(failure))
    if elapsed >= _LIMIT_S:
        causes.append(
            f"a limit of {round(elapsed)} s or less in the application server ended its worker, since this request "
            f"took longer ({_LIMITS.get(failure.family, _LIMITS_OF_OTHERS)})"
        )
    if at_once and failure.family == "uwsgi":
        causes.append(
            "the application raised an exception before it answered, which uWSGI meets by closing: its log has the "
            "traceback"
        )
    causes.append(
        "the process that had the request died: out of memory (dmesg), a crash, or it was restarted; "
        "the application server's own log has that moment"
    )
    if at_once and failure.family == "proxy" and not failure.errno and failure.spoken:
        causes.append(
            "a server that wants another name closes without a word (nginx: return 444): look at the Host that "
            f"proxy_set_header sends it{_host(failure)}"
        )
    if at_once and (failure.has_answered or failure.silent) and not failure.spoken:
        causes += _mixed_up(failure)  # it may be another server by now
    return f"Likely: {numbered(causes)}"


def _host(failure: Failure) -> str:
    """The Host that went out, of a request of HTTP/1."""
    found = re.search(rb"\r\nhost: *([^\r]*)\r\n", failure.exchange.packet, re.IGNORECASE)
    return f" ({found[1].decode('latin-1')})" if found else ""


def _refused_in_tls(failure: Failure) -> str:
    """The handshake was over for us, and the peer ended it with an alert: with TLS 1.3 it may do so that late."""
    family = failure.family
    certificate = failure.setting(f"{family}_ssl_certificate", "none")
    return (
        "the peer broke TLS off after the handshake, as a server does that wants a certificate of its client: "
        f"{certificate}; write {family}_ssl_certificate and {family}_ssl_certificate_key of one that it takes"
    )


def _mixed_up(failure: Failure) -> list[str]:
    """What a server of another protocol would do with such a request: close at once."""
    if failure.family == "proxy":
        return [uwsgi_socket(failure)]
    if failure.family == "uwsgi" and failure.errno and failure.block_size <= UWSGI_BUFFER:
        return ["the peer is no uwsgi socket (an HTTP server: proxy_pass; uWSGI: socket =, not http-socket =)"]
    return []


def without_method(failure: Failure) -> str | None:
    """A uwsgi request that no application can answer, since the variables of WSGI are missing."""
    with contextlib.suppress(BadPacket, ValueError):
        names = {name for name, _ in decode(failure.exchange.packet)[2]}
        if b"REQUEST_METHOD" not in names:
            return (
                f"The request has no REQUEST_METHOD among its {len(names)} variables, so the application raised an "
                "exception, or was not called at all: write include uwsgi_params; beside the uwsgi_pass (a uwsgi_param "
                "in this block puts those of the blocks around it out of force)"
            )
    return None


def unread_body(failure: Failure) -> str:
    """A socket that is closed with bytes unread sends a reset, and that may overtake what was answered."""
    return (
        f"it closed without having read the request's body ({failure.body_size} bytes), so that the kernel reset the "
        "connection, and what it had answered may be lost: let the application read the body before it answers (uWSGI: "
        "post-buffering = 65536 reads it for the application)"
    )


def _in_body(failure: Failure) -> str:
    head = failure.exchange.head
    promised = f" of {head.content_length} that Content-Length promised" if head and head.content_length >= 0 else ""
    came = f"{failure.attempt.body_received} bytes of the body had come{promised}"
    if failure.errno and failure.body_size:
        return f"{came}: {unread_body(failure)}"
    fewer = ", or wrote less than it promised" if promised else ""
    causes = [
        f"the application raised an exception after its answer had begun{fewer}",
        "the process that made it ended: out of memory (dmesg), a crash, a limit of time, a restart",
    ]
    if failure.elapsed >= _LIMIT_S:
        causes.reverse()
    return f"{came}: {numbered(causes)}; the application server's own log has that moment"


def too_large(failure: Failure) -> str:
    """uWSGI's buffer against the packet that was sent."""
    size = failure.block_size
    room = min(UWSGI_LARGEST, -(-size // UWSGI_BUFFER) * UWSGI_BUFFER)
    return (
        f"the request's variables are {size} bytes{largest(failure)}, and uWSGI takes {UWSGI_BUFFER} unless told "
        f"otherwise (its log: invalid request block size: {size} (max {UWSGI_BUFFER})...skip): raise uWSGI's "
        f"buffer-size to at least {size} (buffer-size = {room}); uwsgi_buffers have nothing to do with it"
    )


def largest(failure: Failure) -> str:
    """The variable that takes most of the packet."""
    with contextlib.suppress(BadPacket, ValueError):
        pairs = decode(failure.exchange.packet)[2]
        name, value = max(pairs, key=lambda pair: len(pair[1]))
        return f" ({name.decode('latin-1')} alone {len(value)})"
    return ""


def uwsgi_socket(failure: Failure) -> str:
    """HTTP was spoken, and the peer closed without a word."""
    size = failure.block_size
    method = misread_method(size)
    letters = f" ({method})" if method else ""
    return (
        f"{failure.peer} is a uwsgi socket (uWSGI's socket =): it reads this HTTP request as a block of {size} "
        f"bytes{letters}, and its log says: invalid request block size: {size} (max {UWSGI_BUFFER})...skip; "
        f"then either uwsgi_pass {failure.peer}; and include uwsgi_params; here, or http-socket = there"
    )


def _doubtful(failure: Failure) -> bool:
    return failure.no_answer and failure.errno != errno.EPROTO


FAMILY: Final = Family(
    (b"upstream prematurely closed connection", b"recv() failed (", b"writev() failed ("), _key, _text, _doubtful
)
