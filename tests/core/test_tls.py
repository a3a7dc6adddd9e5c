from __future__ import annotations

from gateway._fast.errors import TlsFailure
from gateway.core.tls import is_ordinary, words_of


def test_failures_of_clients_are_everyday() -> None:
    for reason in (267, 193, 1048):  # wrong version number, no shared cipher, alert unknown CA
        assert is_ordinary(TlsFailure(b"SSL_do_handshake() failed", reason))
    assert not is_ordinary(TlsFailure(b"SSL_do_handshake() failed", 68))  # internal error
    assert is_ordinary(ConnectionResetError(104, "reset"))


def test_a_peer_that_leaves() -> None:
    left = TlsFailure(b"peer closed connection in SSL handshake", left=True)
    reset = TlsFailure(b"peer closed connection in SSL handshake", errno=104, left=True)
    assert is_ordinary(left) and words_of(left) == (b"peer closed connection in SSL handshake", None)
    number = words_of(reset)[1]
    assert number is not None and number.errno == 104
    words, number = words_of(ConnectionResetError(104, "Connection reset by peer"))
    assert words == b"peer closed connection in SSL handshake" and number is not None and number.errno == 104
