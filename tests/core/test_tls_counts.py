from __future__ import annotations

from gateway.core.tls_counts import TlsCounts


def test_counts() -> None:
    counts = TlsCounts()
    counts.done(reused=False)
    counts.done(reused=True)
    for reason in (193, 258, 1048, 1, 0):
        counts.failed(reason)
    counts.timed_out()
    assert counts.show() == {
        "handshakes": 2,
        "handshakes_failed": 6,
        "session_reuses": 1,
        "no_common_protocol": 1,
        "no_common_cipher": 1,
        "handshake_timeout": 1,
        "peer_rejected_cert": 1,
    }
    counts.reset()
    assert not any(counts.show().values())
