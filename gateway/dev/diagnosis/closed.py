"""The upstream closed or reset the connection before its answer was whole."""

from __future__ import annotations

import contextlib
from collections.abc import Hashable
from typing import Final

from gateway.dev.diagnosis.failure import Failure, Family, numbered
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
        return f"{describe(failure)}; or the process that made it ended in the middle of the head"
    causes: list[str] = []
    at_once = elapsed < _AT_ONCE_S
    if at_once and failure.family == "uwsgi" and failure.block_size <= UWSGI_BUFFER:
        lacking = without_method(failure)
        if lacking is not None:
            return lacking
    if failure.family == "uwsgi" and failure.block_size > UWSGI_BUFFER:
        causes.append(too_large(failure))
    elif at_once and not failure.has_answered:
        causes += _mixed_up(failure)
    if failure.errno and failure.body_size:
        causes.append(unread_body(failure))
    if elapsed >= _LIMIT_S:
        causes.append(
            f"a limit of {round(elapsed)} s or less in the application server ended its worker, since this request "
            "took longer (uWSGI: harakiri; gunicorn: --timeout, 30 unless set)"
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
    if at_once and failure.has_answered and not failure.spoken:
        causes += _mixed_up(failure)  # it may be another server by now
    return f"Likely: {numbered(causes)}"


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
    return (
        f"{came}: the process that made the answer ended in the middle of it; the application server's own log has "
        "that moment"
    )


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
    return failure.no_answer


FAMILY: Final = Family(
    (b"upstream prematurely closed connection", b"recv() failed (", b"writev() failed ("), _key, _text, _doubtful
)
