"""Certificates for QUIC."""

from __future__ import annotations

from pathlib import Path

import pytest

pytest.importorskip("aioquic")
from cryptography.hazmat.primitives import serialization

from gateway.http.quic_tls import load_pair
from tests.certificates import write


def test_a_key_with_a_password(tmp_path: Path) -> None:
    chain, key = (Path(name).read_bytes() for name in write(tmp_path, "localhost"))
    assert load_pair(chain, key, []).chain
    secret = serialization.load_pem_private_key(key, None).private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.BestAvailableEncryption(b"open"),
    )
    assert load_pair(chain, secret, [b"wrong", b"open"]).key
    with pytest.raises((ValueError, TypeError)):
        load_pair(chain, secret, [b"wrong"])
    with pytest.raises((ValueError, TypeError)):
        load_pair(chain, b"-----BEGIN NOTHING-----", [])
