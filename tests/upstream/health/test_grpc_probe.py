"""What a gRPC server says of itself, and what is asked."""

from __future__ import annotations

import pytest

from gateway.upstream.health.grpc_probe import message, problem

SERVING = b"\0\0\0\0\2\x08\1"
GOOD = [(b"grpc-status", b"0")]


def test_what_is_asked() -> None:
    assert message(b"") == b"\0\0\0\0\0"
    assert message(b"a.B") == b"\0\0\0\0\5\x0a\3a.B"
    long = message(b"x" * 300)
    assert long[:8] == b"\0\0\0\1\x2f\x0a\xac\x02" and long[8:] == b"x" * 300


@pytest.mark.parametrize(
    ("head", "body", "trailers", "accepted", "found"),
    [
        ([], SERVING, GOOD, 0, None),
        ([], b"\0\0\0\0\2\x08\2", GOOD, 0, b"NOT_SERVING"),
        ([], b"\0\0\0\0\2\x08\3", GOOD, 0, b"SERVICE_UNKNOWN"),
        ([], b"\0\0\0\0\2\x08\7", GOOD, 0, b"7"),
        ([], b"\0\0\0\0\0", GOOD, 0, b"UNKNOWN"),
        ([], b"", GOOD, 0, b"UNKNOWN"),
        ([], SERVING, [], 0, b"no grpc-status"),
        ([], SERVING, [(b"grpc-status", b"x")], 0, b"no grpc-status"),
        ([(b"grpc-status", b"12"), (b"grpc-message", b"what?")], b"", [], 0, b"grpc-status 12: what?"),
        ([(b"Grpc-Status", b"5")], b"", [], 12, b"grpc-status 5"),
        ([(b"grpc-status", b"12")], b"", [], 12, None),
        ([], SERVING, GOOD, 12, None),
    ],
)
def test_what_is_answered(
    head: list[tuple[bytes, bytes]],
    body: bytes,
    trailers: list[tuple[bytes, bytes]],
    accepted: int,
    found: bytes | None,
) -> None:
    assert problem(head, body, trailers, accepted) == found
