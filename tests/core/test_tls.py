from __future__ import annotations

import ssl

from gateway.core.tls import HandshakeFailure, words


def error(reason: str | None, text: str, library: str = "SSL", kind: type[ssl.SSLError] = ssl.SSLError) -> ssl.SSLError:
    made = kind(1, text)
    made.reason, made.library = reason, library  # type: ignore[assignment]
    return made


def test_words_are_openssls() -> None:
    wrong = error("WRONG_VERSION_NUMBER", "[SSL: WRONG_VERSION_NUMBER] wrong version number (_ssl.c:1006)")
    assert words(wrong) == "SSL: error:0A00010B:SSL routines::wrong version number"
    assert words(error(None, "something else")) == "SSL: something else"


def test_failures_of_clients_are_everyday() -> None:
    for reason in ("WRONG_VERSION_NUMBER", "TLSV1_ALERT_UNKNOWN_CA", "NO_SHARED_CIPHER"):
        failure = HandshakeFailure(error(reason, f"[SSL: {reason}] text (_ssl.c:1)"))
        assert failure.ordinary and failure.text.startswith(b"SSL_do_handshake() failed (SSL: error:")
    assert not HandshakeFailure(error("INTERNAL_ERROR", "[SSL: INTERNAL_ERROR] internal error (_ssl.c:1)")).ordinary


def test_a_peer_that_leaves() -> None:
    ended = HandshakeFailure(error(None, "EOF occurred in violation of protocol", kind=ssl.SSLEOFError))
    reset = HandshakeFailure(ConnectionResetError(104, "Connection reset by peer"))
    assert ended.text == reset.text == b"peer closed connection in SSL handshake"
    assert ended.error is None and reset.error is not None and reset.error.errno == 104
