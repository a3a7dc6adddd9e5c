"""What may come on a connection before its first request: a PROXY protocol header, the preface of HTTP/2."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gateway.core.logs import ERROR
from gateway.protocol.proxy_protocol import parse

if TYPE_CHECKING:
    from gateway.http.connection import Connection


def read_proxy_header(connection: Connection) -> bool:
    """Take the header off what was received; True if bytes are left to go on with. One that is none closes."""
    try:
        parsed = parse(connection.buffer)
    except ValueError as error:
        text = str(error).encode() + b" while reading PROXY protocol"
        context = b", client: %b, server: %b" % (connection.remote()[0], connection.listening.text)
        connection.server.root.core.error_log.write(ERROR, text, connection=connection.number, context=context)
        connection.buffer = b""
        connection.close()
        return False
    if parsed is None:
        return False
    connection.proxy, used = parsed
    connection.buffer = connection.buffer[used:]
    return bool(connection.buffer)


def become_http2(connection: Connection) -> None:
    """HTTP/2 goes on with the stream and what came on it: its preface was there, or TLS has negotiated it."""
    from gateway.http.h2_connection import Http2Connection

    connection.leave()
    Http2Connection(connection, connection.take_input())
