"""SETTINGS of a client."""

from __future__ import annotations

import pytest

pytest.importorskip("aioquic")

from gateway.http.h3_connection import _check_settings
from gateway.protocol.http3_frames import Http3Error


@pytest.mark.parametrize("payload", [b"", b"\x01\x40\x64", b"\x07\x10\x06\x05", b"\x21\x01"])
def test_settings(payload: bytes) -> None:
    _check_settings(payload)


@pytest.mark.parametrize("payload", [b"\x01", b"\x02\x00", b"\x04\x01", b"\x05\x01", b"\x40"])
def test_settings_of_http2_and_halves_of_them(payload: bytes) -> None:
    with pytest.raises(Http3Error):
        _check_settings(payload)
