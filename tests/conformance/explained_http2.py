"""The same questions over HTTP/2, asked by the h2 package: the independent witness of what explain would send."""

from __future__ import annotations

import socket

import h2.config
import h2.connection
import h2.events

from gateway.dev.explain.question import Question

# A client does not send these (RFC 9113, 8.2.2), and the host goes as :authority.
_OF_HTTP1 = ("host", "connection", "keep-alive", "proxy-connection", "transfer-encoding", "upgrade")


def head_of(question: Question) -> list[tuple[bytes, bytes]]:
    """The request's fields, those that begin with a colon first."""
    fields = question.all_fields()
    host = next(value for name, value in fields if name.lower() == "host")
    head = [
        (":method", question.method),
        (":scheme", question.scheme),
        (":authority", host),
        (":path", question.target),
    ]
    head += [(name.lower(), value) for name, value in fields if name.lower() not in _OF_HTTP1]
    return [(name.encode(), value.encode("utf-8", "surrogateescape")) for name, value in head]


def asked(connection: socket.socket, question: Question) -> bytes:
    """The answer's head, as HTTP/1 would have it; b"" where the stream or the connection is refused."""
    config = h2.config.H2Configuration(
        client_side=True, header_encoding=None, validate_outbound_headers=False, normalize_outbound_headers=False,
        validate_inbound_headers=False,  # add_header X "$none word" begins with a blank
    )  # fmt: skip
    client = h2.connection.H2Connection(config)
    client.initiate_connection()
    stream = client.get_next_available_stream_id()
    body = b"".join(question.body_in_http2())
    client.send_headers(stream, head_of(question), end_stream=not body)
    if body:
        client.send_data(stream, body, end_stream=True)
    connection.sendall(client.data_to_send())
    answer: list[bytes] = []
    while True:
        data = connection.recv(65536)
        if not data:
            return b"\r\n".join(answer)
        for event in client.receive_data(data):
            if isinstance(event, h2.events.ResponseReceived):
                came = [(bytes(name), bytes(value)) for name, value in event.headers]
                answer = [b"HTTP/2 " + came[0][1], *[b"%b: %b" % field for field in came[1:]]]
            elif isinstance(event, h2.events.DataReceived):
                client.acknowledge_received_data(event.flow_controlled_length, stream)
            elif isinstance(event, h2.events.StreamEnded | h2.events.StreamReset | h2.events.ConnectionTerminated):
                return b"\r\n".join(answer)
        connection.sendall(client.data_to_send())
