"""A WSGI application for uWSGI that echoes WebSocket messages in upper case; "end" ends it."""

from __future__ import annotations

import base64
import hashlib
import os
from collections.abc import Callable
from typing import Any

import uwsgi  # uWSGI's own, there when it runs


def application(environ: dict[str, Any], start_response: Callable[..., Any]) -> list[bytes]:
    """Take the handshake by hand (uWSGI's own wants a build with TLS), then answer message by message."""
    key = environ["HTTP_SEC_WEBSOCKET_KEY"] + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
    accept = base64.b64encode(hashlib.sha1(key.encode(), usedforsecurity=False).digest())
    fields = b"Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: %b" % accept
    os.write(uwsgi.connection_fd(), b"HTTP/1.1 101 Switching Protocols\r\n%b\r\n\r\n" % fields)
    while True:
        message = uwsgi.websocket_recv()
        if message == b"end":
            return []
        uwsgi.websocket_send_binary(message.upper())
