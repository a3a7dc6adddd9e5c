"""The same questions over HTTP/3, asked by aioquic's client as it is."""

from __future__ import annotations

from unittest import mock

from gateway.dev.explain.question import Question
from tests.conformance.explained_http2 import head_of
from tests.http3_client import Http3Client


def asked(port: int, question: Question) -> bytes:
    """The answer's head, as HTTP/1 would have it; b"" where the stream or the connection is refused."""
    # add_header X "$none word" begins with a blank, which aioquic does not take
    with mock.patch("aioquic.h3.connection.validate_response_headers"):
        client = Http3Client(port, question.host)
        try:
            number = client.quic.get_next_available_stream_id()
            body = b"".join(question.body_in_http2())
            client.http.send_headers(number, head_of(question), end_stream=not body)
            if body:
                client.http.send_data(number, body, True)
            while number not in client.whole and number not in client.broken and client.closed is None:
                client.step()
        finally:
            client.close()
    came = client.fields.get(number, [])
    return b"\r\n".join([b"HTTP/3 " + came[0][1], *[b"%b: %b" % field for field in came[1:]]]) if came else b""
