from __future__ import annotations

from typing import Any

import pytest
import trio

from gateway.core.ocsp_client import OcspFailed, ask


async def asked(answer: bytes, resolver: Any = None, host: str = "127.0.0.1") -> tuple[bytes, bytes]:
    """What a responder that says `answer` was asked, and what came of it."""
    questions: list[bytes] = []

    async def respond(stream: trio.SocketStream) -> None:
        async with stream:
            questions.append(await stream.receive_some())
            await stream.send_all(answer)

    async with trio.open_nursery() as nursery:
        listeners = await trio.open_tcp_listeners(0, host="127.0.0.1")
        port = listeners[0].socket.getsockname()[1]
        nursery.start_soon(trio.serve_listeners, respond, listeners)
        try:
            body = await ask(f"http://{host}:{port}/status", "AbC%3D", resolver, 1.0, 5.0)
        finally:
            nursery.cancel_scope.cancel()
    return questions[0], body


HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: application/ocsp-response\r\n"


async def test_a_question() -> None:
    question, body = await asked(HEAD + b"Content-Length: 3\r\n\r\nabc")
    assert question.startswith(b"GET /status/AbC%3D HTTP/1.1\r\nHost: 127.0.0.1:") and body == b"abc"
    assert (await asked(HEAD + b"\r\nabc"))[1] == b"abc"


async def test_names_are_resolved_by_the_resolver() -> None:
    class Resolver:
        async def wait(self, name: bytes, timeout_s: float) -> Any:
            assert name == b"responder.example" and timeout_s == 1.0
            return type("Lookup", (), {"hosts": [b"127.0.0.1"]})

    question, _ = await asked(HEAD + b"\r\n", Resolver(), "responder.example")
    assert b"Host: responder.example:" in question


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (b"HTTP/1.1 500 No\r\n\r\n", "OCSP responder answered 500"),
        (b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\n\r\n", 'invalid "Content-Type" header: "text/html"'),
        (b"rubbish\r\n\r\n", "OCSP responder sent an invalid response"),
        (b"", "OCSP responder sent an invalid response"),
        (HEAD + b"\r\n" + bytes(70000), "OCSP responder sent too much"),
    ],
)
async def test_answers_that_are_none(answer: bytes, words: str) -> None:
    with pytest.raises(OcspFailed, match=words):
        try:
            await asked(answer)
        except BaseExceptionGroup as group:
            raise group.exceptions[0] from None


async def test_a_responder_that_is_not_there() -> None:
    with pytest.raises(OcspFailed, match="OCSP responder cannot be asked"):
        await ask("http://127.0.0.1:1/", "x", None, 1.0, 5.0)
